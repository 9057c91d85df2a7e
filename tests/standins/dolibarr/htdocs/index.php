<?php
require __DIR__ . '/filefunc.inc.php';
require __DIR__ . '/base.php';
require __DIR__ . '/conf/conf.php';
$db = new Base($dolibarr_main_db_type, $dolibarr_main_db_host, $dolibarr_main_db_user, $dolibarr_main_db_pass, $dolibarr_main_db_name, (int) $dolibarr_main_db_port);
$const = array_column($db->query('SELECT name, value FROM llx_const'), 'value', 'name');
if (($const['MAIN_VERSION_LAST_UPGRADE'] ?? $const['MAIN_VERSION_LAST_INSTALL'] ?? '') !== DOL_VERSION) {
    header('Location: /install/index.php');
    exit;
}
session_start();
$token = $_SESSION['token'] ?? '';
$_SESSION['token'] = bin2hex(random_bytes(16));
if (($_POST['actionlogin'] ?? '') === 'login' && hash_equals($token, $_POST['token'] ?? '')) {
    $user = $db->query("SELECT pass_crypted FROM llx_user WHERE login = {$db->quoted($_POST['username'])}")[0] ?? null;
    $_SESSION['user'] = $user && password_verify($_POST['password'], $user['pass_crypted']) ? $_POST['username'] : null;
}
if (isset($_SESSION['user'])) {
    exit('<a href="/user/logout.php">out</a>');
}
echo '<html lang="', substr($const['MAIN_LANG_DEFAULT'], 0, 2), '"><title>Login @ ', DOL_VERSION, "</title><input name=\"token\" value=\"{$_SESSION['token']}\">";
