<?php
// A stand-in for Nextcloud: its settings, its database, its users. Nothing of Nextcloud's code is in it.
class OC { public static string $SERVERROOT; }
OC::$SERVERROOT = dirname(__DIR__);

final class Cloud
{
    public array $config = [];
    public ?PDO $base = null;
    private string $file;

    public function __construct()
    {
        $this->file = OC::$SERVERROOT . '/config/config.php';
        // made where it is missing, and refused where it may not be written, unless it is wished so
        if (!file_exists($this->file)) {
            @touch($this->file);
        }
        foreach ([$this->file, ...glob(OC::$SERVERROOT . '/config/*.config.php')] as $file) {
            $CONFIG = [];
            if (is_file($file) && filesize($file)) {
                include $file;
            }
            $this->config = array_merge($this->config, $CONFIG);
        }
        if (!is_writable($this->file) && getenv('NC_config_is_read_only') !== 'true') {
            self::fail('Cannot write into "config" directory!', 0);
        }
        if ($this->installed()) {
            $this->connect();
        }
    }

    public static function fail(string $why, int $code = 1): never
    {
        if (PHP_SAPI === 'cli') {
            echo $why, "\n";
            exit($code);
        }
        http_response_code(503);
        exit($why);
    }

    public function installed(): bool
    {
        return ($this->config['installed'] ?? false) === true;
    }

    public function write(array $values): void
    {
        if (!is_file(OC::$SERVERROOT . '/config/CAN_INSTALL') && !isset($this->config['version'])) {
            self::fail('Configuration was not read or initialized correctly, not overwriting ' . $this->file);
        }
        $this->config = array_merge($this->config, $values);
        file_put_contents($this->file, "<?php\n\$CONFIG = " . var_export($this->config, true) . ";\n");
        chmod($this->file, 0640);
    }

    /** By its socket where `dbhost` names one; a lock is taken in Redis, as for each file. */
    public function connect(): void
    {
        $c = $this->config;
        [$host, $socket] = array_pad(explode(':', $c['dbhost'] ?? '', 2), 2, null);
        $where = match ($c['dbtype']) {
            'mysql' => 'mysql:' . ($socket ? "unix_socket=$socket" : "host=$host") . ";dbname={$c['dbname']};charset=utf8mb4",
            'pgsql' => "pgsql:host=$host;dbname={$c['dbname']}",
            'sqlite3' => "sqlite:{$c['datadirectory']}/owncloud.db",
        };
        $this->base = new PDO($where, $c['dbuser'] ?? '', $c['dbpassword'] ?? '');
        if (!apcu_enabled()) {
            self::fail('Memcache \OC\Memcache\APCu not available for local cache');
        }
        $redis = new Redis();
        $redis->connect($c['redis']['host'], $c['redis']['port']);
        $redis->set('lock', '1', ['ex' => 10]);
    }

    public function one(string $query, array $values = []): mixed
    {
        $asked = $this->base->prepare($query);
        $asked->execute($values);
        return $asked->columnCount() ? $asked->fetchColumn() : null;
    }

    /** Who comes in with this password; who does not is noted as Nextcloud notes it. */
    public function enters(?string $user, ?string $password): bool
    {
        $hash = $this->one('SELECT password FROM oc_users WHERE uid = ?', [(string) $user]);
        if ($hash && password_verify((string) $password, $hash)) {
            return true;
        }
        $line = ['reqId' => bin2hex(random_bytes(10)), 'level' => 2, 'time' => date('c'), 'remoteAddr' => $_SERVER['REMOTE_ADDR'] ?? '', 'user' => '--', 'app' => 'core',
            'method' => $_SERVER['REQUEST_METHOD'] ?? '', 'url' => $_SERVER['REQUEST_URI'] ?? '', 'message' => "Login failed: '$user' (Remote IP: '{$_SERVER['REMOTE_ADDR']}')"];
        file_put_contents($this->config['logfile'], json_encode($line, JSON_UNESCAPED_SLASHES) . "\n", FILE_APPEND);
        return false;
    }
}
