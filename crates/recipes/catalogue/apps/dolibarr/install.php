<?php
// Written by paquerette at every run: read by PHP before each step of the installer.
// what it does is noted where nobody else reads it, not in /tmp
define('SYSLOG_FILE', '{{ paths.tmp }}/install.log');
if (basename($argv[0]) === 'step5.php') {
    // arguments that no list of processes shows
    $password = trim(stream_get_contents(STDIN));
    array_push($argv, '', '', {{ vars.lang | php }}, 'set', {{ vars.superuser | php }}, $password, $password, '444');
}
