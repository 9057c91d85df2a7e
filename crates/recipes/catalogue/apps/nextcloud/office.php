<?php
// Written by paquerette at every run: tells the app richdocuments, where it is installed and enabled, which Collabora opens its documents.
// To look, its table is read: `occ` does not start where it may not write.
$wanted = [
    'wopi_url' => 'https://{{ linked_by.collabora[0].domain }}',
    'public_wopi_url' => 'https://{{ linked_by.collabora[0].domain }}',
{% if vars.office_from %}
    'wopi_allowlist' => '{{ vars.office_from | join(',') }}',
{% endif %}
];
if ($argv[1] === 'set') {
    chdir('{{ paths.current }}');
    foreach ($wanted as $key => $value) {
        $occ = ['php', '-dapc.enable_cli=1', 'occ', '--no-interaction', 'config:app:set', 'richdocuments', $key, "--value=$value"];
        passthru(implode(' ', array_map('escapeshellarg', $occ)), $status);
        $status === 0 || exit(1);
    }
    exit(0);
}
{% if database.engine == 'mariadb' %}
$base = new PDO('mysql:unix_socket={{ database.socket }};dbname={{ database.name }}', '{{ database.user }}', '');
{% elif database.engine == 'postgres' %}
$base = new PDO('pgsql:host={{ database.socket }};dbname={{ database.name }}', '{{ database.user }}', '');
{% else %}
$base = new PDO('sqlite:{{ paths.data }}/owncloud.db', options: [PDO::SQLITE_ATTR_OPEN_FLAGS => PDO::SQLITE_OPEN_READONLY]);
{% endif %}
$is = $base->query("SELECT configkey, configvalue FROM oc_appconfig WHERE appid = 'richdocuments'")->fetchAll(PDO::FETCH_KEY_PAIR);
$enabled = !in_array($is['enabled'] ?? 'no', ['', 'no'], true);
exit(($argv[1] === 'enabled' ? $enabled : array_intersect_assoc($wanted, $is) === $wanted) ? 0 : 1);
