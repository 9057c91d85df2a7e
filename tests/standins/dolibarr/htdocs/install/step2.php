<?php
include 'inc.php';
if (($argv[1] ?? '') !== 'set') {
    echo "Parameter action=set not defined\n";
    exit(1);
}
foreach (['llx_const (name VARCHAR(64), value VARCHAR(255), entity INTEGER)', 'llx_user (login VARCHAR(64) PRIMARY KEY, pass_crypted VARCHAR(255), admin INTEGER)'] as $table) {
    $db->query("CREATE TABLE IF NOT EXISTS $table");
}
