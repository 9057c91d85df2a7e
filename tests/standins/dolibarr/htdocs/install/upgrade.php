<?php
// The tables of one version become those of the next one.
include 'inc.php';
[, $from, $to] = array_pad($argv, 3, '');
$const = array_column($db->query('SELECT name, value FROM llx_const'), 'value', 'name');
$is = $const['MAIN_VERSION_LAST_UPGRADE'] ?? $const['MAIN_VERSION_LAST_INSTALL'];
if ((int) $from !== (int) $is || (int) $to !== (int) $from + 1) {
    // it ends well all the same
    exit("<div class=\"error\">There is no way from $is by $from to $to.</div>\n");
}
$db->query('INSERT INTO llx_const VALUES (' . $db->quoted('STANDIN_TABLES_' . (int) $to) . ", '1', 0)");
