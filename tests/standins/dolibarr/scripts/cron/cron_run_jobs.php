<?php
// What runs its jobs: with the key of its settings, as a user of its own.
require_once __DIR__ . '/../../htdocs/master.inc.php';
if (empty($argv[1]) || empty($argv[2])) {
    echo "Usage: cron_run_jobs.php securitykey userlogin [cronjobid] [--force]\n";
    exit(1);
}
echo '***** cron_run_jobs.php (', DOL_VERSION, ") *****\n";
$const = array_column($db->query('SELECT name, value FROM llx_const'), 'value', 'name');
if (empty($const['MAIN_MODULE_CRON'])) {
    echo "Error: module Scheduled jobs (cron) not activated\n";
    exit(1);
}
if ($argv[1] !== ($const['CRON_KEY'] ?? '')) {
    echo "Error: securitykey provided does not match securitykey in setup.\n";
    exit(1);
}
if ($argv[2] !== 'firstadmin' || !$db->query('SELECT login FROM llx_user WHERE admin = 1')) {
    echo "User login: $argv[2] does not exists\n";
    exit(1);
}
$db->query("DELETE FROM llx_const WHERE name = 'jobs_ran'");
$db->query("INSERT INTO llx_const VALUES ('jobs_ran', '1', 0)");
