<?php
// What its API would be asked for follows the program's name.
header('Content-Type: application/json');
echo json_encode(['path' => ($_SERVER['PATH_INFO'] ?? '') ?: null, 'script' => $_SERVER['SCRIPT_NAME'], 'self' => $_SERVER['PHP_SELF']], JSON_UNESCAPED_SLASHES), "\n";
