<?php
// Says, a line each, which enabled apps of its users would not come along to the version in the argument: those that say that they are for others, and
// of which the app store has no release for it. Nextcloud would switch them off. Its files and tables are read: `occ` does not start where it may not write.
class OC { public static string $SERVERROOT; }
OC::$SERVERROOT = getcwd();
$to = $argv[1];
$config = [];
foreach (['config/config.php', ...glob('config/*.config.php')] as $file) {
    $CONFIG = [];
    include $file;
    $config = array_merge($config, $CONFIG);
}
{% if database.engine == 'mariadb' %}
$base = new PDO('mysql:unix_socket={{ database.socket }};dbname={{ database.name }}', '{{ database.user }}', '');
{% elif database.engine == 'postgres' %}
$base = new PDO('pgsql:host={{ database.socket }};dbname={{ database.name }}', '{{ database.user }}', '');
{% else %}
$base = new PDO('sqlite:{{ paths.data }}/owncloud.db', options: [PDO::SQLITE_ATTR_OPEN_FLAGS => PDO::SQLITE_OPEN_READONLY]);
{% endif %}
$enabled = $base->query("SELECT appid FROM oc_appconfig WHERE configkey = 'enabled' AND configvalue NOT IN ('', 'no') ORDER BY appid")->fetchAll(PDO::FETCH_COLUMN);
$shipped = json_decode(file_get_contents('core/shipped.json'), true)['shippedApps'];

// `32` is all of 32.x, `32.0.1` that one; none is any
function fits(string $is, string $wanted, string $how): bool
{
    $is = implode('.', array_slice(explode('.', $is), 0, count(explode('.', $wanted))));
    return $wanted === '' || version_compare($is, $wanted, $how);
}

// what the app store writes: `>=31 <=33`
function means(string $is, string $spec): bool
{
    preg_match_all('/([<>]=)([0-9.]+)/', $spec, $bounds, PREG_SET_ORDER);
    return array_reduce($bounds, fn (bool $all, array $bound) => $all && fits($is, $bound[2], $bound[1]), true);
}

// the apps of which the app store has a release for this version, or why that is not known
function store(array $config, string $to): array|string
{
    $url = $config['appstoreurl'] ?? null;
    if (($config['appstoreenabled'] ?? true) === false || ($url === null && ($config['has_internet_connection'] ?? true) === false)) {
        return 'it is switched off';
    }
    $asked = curl_init(($url ?? 'https://apps.nextcloud.com/api/v1') . '/apps.json');
    curl_setopt_array($asked, [CURLOPT_RETURNTRANSFER => true, CURLOPT_FOLLOWLOCATION => true, CURLOPT_FAILONERROR => true, CURLOPT_ENCODING => '',
        CURLOPT_CONNECTTIMEOUT => 20, CURLOPT_TIMEOUT => 120]);
    $answer = curl_exec($asked);
    $all = is_string($answer) ? json_decode($answer, true) : null;
    if (!is_array($all) || !$all) {
        return curl_error($asked) ?: 'what it answers is no list of apps';
    }
    $is_for = fn (array $release) => !($release['isNightly'] ?? false) && !str_contains($release['version'], '-')
        && str_contains($release['rawPlatformVersionSpec'], '<=') && means($to, $release['rawPlatformVersionSpec'])
        && means(PHP_VERSION, $release['rawPhpVersionSpec'] ?? '*');
    return array_column(array_filter($all, fn (array $app) => array_filter($app['releases'], $is_for)), 'id');
}

$against = [];
foreach (array_diff($enabled, $shipped) as $app) {
    foreach (array_column($config['apps_paths'] ?? [['path' => 'apps']], 'path') as $path) {
        $info = @simplexml_load_file("$path/$app/appinfo/info.xml");
        $wants = $info ? $info->dependencies->nextcloud : null;
        if (!$info || (fits($to, (string) $wants['min-version'], '>=') && fits($to, (string) $wants['max-version'], '<='))) {
            continue;
        }
        $store ??= store($config, $to);
        $has = match (true) {
            is_string($store) => "and the app store does not say whether it has one for $to: $store",
            !in_array($app, $store, true) => "and the app store has none for $to",
            default => null,
        };
        if ($has !== null) {
            $for = implode(' to ', array_unique(array_filter([(string) $wants['min-version'], (string) $wants['max-version']])));
            $against[] = "app `$app` {$info->version} is for Nextcloud $for, $has; `occ app:disable $app` there has it go without that app";
        }
    }
}
echo implode("\n", $against), $against ? "\n" : '';
exit($against ? 1 : 0);
