<?php
// Written by paquerette at every run: read by PHP before its jobs, whose key is then no argument that a list of processes shows; by itself it
// switches them on.
$key = {{ derive('cron_key') | php }};
if (basename($argv[0]) !== 'jobs.php') {
    array_push($argv, $key, 'firstadmin');
} else {
    require '{{ paths.current }}/htdocs/master.inc.php';
    require_once DOL_DOCUMENT_ROOT . '/core/lib/admin.lib.php';
    require_once DOL_DOCUMENT_ROOT . '/user/class/user.class.php';
    $user = new User($db);
    $user->fetch(0, {{ vars.superuser | php }}) > 0 || exit(1);
    $done = activateModule('modCron');
    if (!empty($done['errors']) || dolibarr_set_const($db, 'CRON_KEY', $key, 'chaine', 0, '', 0) < 0) {
        echo implode("\n", $done['errors'] ?? []), "\n";
        exit(1);
    }
}
