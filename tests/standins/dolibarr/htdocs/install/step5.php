<?php
include 'inc.php';
[, , , $lang, $action, $login, $pass, $again, $lock] = array_pad($argv, 9, '');
if (preg_match('/^upgrade(?:_([0-9.]+))?$/', $action, $found)) {
    // to a version on the way, or to that of its files
    $to = $found[1] ?? DOL_VERSION;
    $const = array_column($db->query('SELECT name, value FROM llx_const'), 'value', 'name');
    $is = $const['MAIN_VERSION_LAST_UPGRADE'] ?? $const['MAIN_VERSION_LAST_INSTALL'];
    if ((int) $to > (int) $is && !isset($const['STANDIN_MIGRATED_' . (int) $to])) {
        exit("<div class=\"error\">The data was not migrated from $is to $to.</div>\n");
    }
    $db->query("DELETE FROM llx_const WHERE name = 'MAIN_VERSION_LAST_UPGRADE'");
    $db->query("INSERT INTO llx_const VALUES ('MAIN_VERSION_LAST_UPGRADE', {$db->quoted($to)}, 0)");
    exit;
}
if ($action !== 'set' || $pass !== $again || trim($pass) === '' || trim($login) === '') {
    // a browser would be led back; here nothing is said, and it ends well
    exit;
}
if (!$db->query("SELECT login FROM llx_user WHERE login = {$db->quoted($login)}")) {
    $db->query("INSERT INTO llx_user VALUES ({$db->quoted($login)}, {$db->quoted(password_hash($pass, PASSWORD_DEFAULT))}, 1)");
}
$db->query("DELETE FROM llx_const WHERE name IN ('MAIN_VERSION_LAST_INSTALL', 'MAIN_LANG_DEFAULT')");
$db->query("INSERT INTO llx_const VALUES ('MAIN_VERSION_LAST_INSTALL', {$db->quoted(DOL_VERSION)}, 0), ('MAIN_LANG_DEFAULT', {$db->quoted($lang)}, 1)");
if ($lock) {
    file_put_contents("$dolibarr_main_data_root/install.lock", 'This is a lock file');
    chmod("$dolibarr_main_data_root/install.lock", octdec($lock));
}
