<?php
// Every address that is no file: `/login` is a page, to which `/` leads, the others are nothing.
require __DIR__ . '/lib/base.php';
$cloud = new Cloud();
$name = $cloud->one("SELECT configvalue FROM oc_appconfig WHERE appid = 'theming' AND configkey = 'name'");
if (!in_array($_SERVER['HTTP_HOST'], $cloud->config['trusted_domains'] ?? [], true)) {
    http_response_code(400);
    exit('Access through untrusted domain');
}
$path = parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH);
if (in_array($path, ['/', '/index.php'], true)) {
    header('Location: /login');
    exit;
}
if ($path !== '/login') {
    http_response_code(404);
    exit('not found');
}
echo '<html lang="', $cloud->config['default_language'] ?? 'en', '"><title>', htmlspecialchars($name), ' – Nextcloud</title>';
