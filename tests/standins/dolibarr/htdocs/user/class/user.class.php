<?php
class User
{
    public ?string $login = null;

    public function __construct(private Base $db)
    {
    }

    public function fetch(int $id, string $login): int
    {
        $this->login = $this->db->query("SELECT login FROM llx_user WHERE login = {$this->db->quoted($login)}")[0]['login'] ?? null;
        return $this->login ? 1 : 0;
    }
}
