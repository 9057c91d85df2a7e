<?php
require __DIR__ . '/lib/base.php';
$cloud = new Cloud();
$cloud->installed() || Cloud::fail('not installed');
$cloud->one("DELETE FROM oc_appconfig WHERE appid = 'core' AND configkey = 'lastcron'");
$cloud->one("INSERT INTO oc_appconfig VALUES ('core', 'lastcron', ?)", [(string) time()]);
