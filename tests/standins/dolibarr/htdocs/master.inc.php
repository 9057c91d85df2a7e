<?php
// What programs begin with that are no page.
require_once __DIR__ . '/filefunc.inc.php';
require_once __DIR__ . '/base.php';
require_once __DIR__ . '/conf/conf.php';
define('DOL_DOCUMENT_ROOT', __DIR__);
$db = new Base($dolibarr_main_db_type, $dolibarr_main_db_host, $dolibarr_main_db_user, $dolibarr_main_db_pass, $dolibarr_main_db_name, (int) $dolibarr_main_db_port);
