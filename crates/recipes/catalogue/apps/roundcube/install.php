<?php
// Written by paquerette at every run: `is-installed` and `is-current` look, `install` makes the tables.
define('INSTALL_PATH', '{{ paths.current }}/');
require INSTALL_PATH . 'program/include/clisetup.php';
$db = rcmail_utils::db();
$tables = (array) $db->list_tables();
// the last thing that its tables are given is the version of them
$installed = in_array('system', $tables) && rcmail_utils::db_version();
if (($argv[1] ?? '') === 'is-current') {
    $changes = glob(INSTALL_PATH . "SQL/{{ 'mysql' if database.engine == 'mariadb' else 'postgres' }}/*.sql");
    $newest = max(array_map(fn ($file) => (int) basename($file, '.sql'), $changes ?: ['0']));
    exit($installed && (int) rcmail_utils::db_version() >= $newest ? 0 : 1);
}
if (($argv[1] ?? '') !== 'install') {
    exit($installed ? 0 : 1);
}
if ($installed) {
    exit(0);
}
if (in_array('users', $tables) && $db->fetch_array($db->query('SELECT user_id FROM users'))) {
    fwrite(STDERR, "the database has users, and no version of its tables\n");
    exit(1);
}
{% if database.engine == 'mariadb' %}
// what a run that was ended left behind
$db->query('SET FOREIGN_KEY_CHECKS = 0');
foreach ($tables as $table) {
    $db->query('DROP TABLE ' . $db->quote_identifier($table));
}
$db->query('SET FOREIGN_KEY_CHECKS = 1');
rcmail_utils::db_init(INSTALL_PATH . 'SQL');
{% else %}
$db->startTransaction();
rcmail_utils::db_init(INSTALL_PATH . 'SQL');
$db->endTransaction();
{% endif %}
