<?php
function dolibarr_set_const(Base $db, string $name, string $value, string $type = 'chaine', int $visible = 0, string $note = '', int $entity = 1): int
{
    $db->query("DELETE FROM llx_const WHERE name = {$db->quoted($name)} AND entity = $entity");
    $db->query("INSERT INTO llx_const VALUES ({$db->quoted($name)}, {$db->quoted($value)}, $entity)");
    return 1;
}

function activateModule(string $name): array
{
    global $db, $user;
    if (!$user->login) {
        return ['errors' => ['no user']];
    }
    return ['errors' => dolibarr_set_const($db, 'MAIN_MODULE_' . strtoupper(substr($name, 3)), '1') > 0 ? [] : ['not set']];
}
