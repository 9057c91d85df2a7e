<?php
require __DIR__ . '/lib/base.php';
require __DIR__ . '/version.php';
$cloud = new Cloud();
header('Content-Type: application/json');
echo json_encode(['installed' => $cloud->installed(), 'maintenance' => false, 'needsDbUpgrade' => ($cloud->config['version'] ?? '') !== "$OC_VersionString.2", 'version' => "$OC_VersionString.2",
    'versionstring' => $OC_VersionString, 'edition' => '', 'productname' => 'Nextcloud', 'extendedSupport' => false]);
