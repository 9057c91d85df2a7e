<?php
// What each step of the installer begins with: settings that it may write, and no lock.
require_once '../filefunc.inc.php';
require_once '../base.php';
$conffile = '../conf/conf.php';
$rest = 0;
$options = getopt('c:h', ['config:', 'help'], $rest);
$conffile = $options['c'] ?? $options['config'] ?? $conffile;
$argv = array_merge([$argv[0]], array_slice($argv, $rest));
if (is_file($conffile)) {
    include_once $conffile;
}
if (file_exists("$dolibarr_main_data_root/install.lock") && !file_exists("$dolibarr_main_data_root/upgrade.unlock")) {
    // it ends well all the same
    exit("The installer is locked by the file install.lock\n");
}
// what upgrades only reads them
if (!is_writable($conffile) && !file_exists("$dolibarr_main_data_root/upgrade.unlock")) {
    exit("<div class=\"error\">Configuration file $conffile is not writable.</div>\n");
}
$db = new Base($dolibarr_main_db_type, $dolibarr_main_db_host, $dolibarr_main_db_user, $dolibarr_main_db_pass, $dolibarr_main_db_name, (int) $dolibarr_main_db_port);
file_put_contents(defined('SYSLOG_FILE') ? SYSLOG_FILE : '/tmp/dolibarr_install.log', basename($argv[0]) . "\n", FILE_APPEND);
