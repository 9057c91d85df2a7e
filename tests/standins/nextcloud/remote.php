<?php
// Files of one's own over WebDAV: put and got.
require __DIR__ . '/lib/base.php';
$cloud = new Cloud();
[, , , $user, $name] = array_pad(explode('/', $_SERVER['PATH_INFO'] ?? '', 5), 5, '');
if (!$cloud->enters($_SERVER['PHP_AUTH_USER'] ?? null, $_SERVER['PHP_AUTH_PW'] ?? null) || $user !== $_SERVER['PHP_AUTH_USER'] || $name !== basename($name)) {
    http_response_code(401);
    exit;
}
$directory = "{$cloud->config['datadirectory']}/$user/files";
is_dir($directory) || mkdir($directory, 0750, true);
if ($_SERVER['REQUEST_METHOD'] === 'PUT') {
    file_put_contents("$directory/$name", file_get_contents('php://input'));
    http_response_code(201);
} elseif (is_file("$directory/$name")) {
    readfile("$directory/$name");
} else {
    http_response_code(404);
}
