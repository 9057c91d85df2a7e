<?php
// The rows of one version become those of the next one, once its tables are.
include 'inc.php';
$to = (int) ($argv[2] ?? 0);
if (!$db->query("SELECT value FROM llx_const WHERE name = 'STANDIN_TABLES_$to'")) {
    exit("<div class=\"error\">There are no tables of $to.</div>\n");
}
$db->query("INSERT INTO llx_const VALUES ('STANDIN_MIGRATED_$to', '1', 0)");
