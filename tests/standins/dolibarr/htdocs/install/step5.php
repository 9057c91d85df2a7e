<?php
include 'inc.php';
[, , , $lang, $action, $login, $pass, $again, $lock] = array_pad($argv, 9, '');
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
