<?php
/** The database that the settings name: by its socket where there is no password. */
final class Base
{
    private mysqli|PgSql\Connection $link;

    public function __construct(string $type, string $host, string $user, string $password, string $name, int $port)
    {
        if ($type === 'mysqli') {
            mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
            $this->link = new mysqli($host, $user, $password, $name, $port);
        } else {
            $where = $host === 'socket' ? '' : "host='$host' port='$port' ";
            $this->link = pg_connect("{$where}dbname='$name' user='$user' password='$password'") ?: throw new Exception('Failed to connect to server');
        }
    }

    public function query(string $query): array
    {
        if ($this->link instanceof mysqli) {
            $result = $this->link->query($query);
            return is_bool($result) ? [] : $result->fetch_all(MYSQLI_ASSOC);
        }
        $result = pg_query($this->link, $query) ?: throw new Exception(pg_last_error($this->link));
        return pg_fetch_all($result);
    }

    public function quoted(string $text): string
    {
        return "'" . ($this->link instanceof mysqli ? $this->link->real_escape_string($text) : pg_escape_string($this->link, $text)) . "'";
    }
}
