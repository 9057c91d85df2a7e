//! What steps set is in effect, as those say who are concerned: sshd, the kernel after a boot, apache2, nginx.

use pq_testkit::lab::{self, Machine, Output, Result};
use pq_testkit::laws;
use serde_json::{Value, json};

use crate::world::{apply, bare};

/// Runs pq-apply on these steps.
fn steps(machine: &Machine, steps: &[Value]) -> Result<Output> {
    let steps: Vec<_> = steps.iter().filter_map(|step| step.as_object().cloned()).collect();
    apply(machine, &laws::plan(&steps), &["--text"])
}

/// Failed, with these words.
fn failed(output: &Output, words: &[&str]) {
    let said = format!("{}{}", output.stdout, output.stderr);
    assert_eq!(output.code, 1, "{said}");
    for word in words {
        assert!(said.contains(word), "no `{word}` in {said}");
    }
}

#[test]
fn a_key_opens_an_account_and_nothing_that_its_user_planted_is_followed() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "effectskeys")?;
    let make = "useradd --create-home --shell /bin/bash anna && ssh-keygen -q -t ed25519 -N '' -C anna@home -f /root/id";
    machine.sh(make)?.success()?;
    let key = machine.read("/root/id.pub")?;
    let ssh = "ssh -i /root/id -o BatchMode=yes -o StrictHostKeyChecking=accept-new anna@127.0.0.1";
    let step = |options: &str| json!({"do": "authorized_key", "user": "anna", "key": key.trim(), "options": options});
    steps(&machine, &[step("restrict")])?.success()?;
    assert_eq!(machine.sh(&format!("{ssh} id -un"))?.success()?.stdout, "anna\n");
    steps(&machine, &[step("restrict,command=\"echo only this\"")])?.success()?;
    assert_eq!(machine.sh(&format!("{ssh} id -un"))?.success()?.stdout, "only this\n");
    let gone = json!({"do": "authorized_key", "user": "anna", "key": key.trim(), "state": "absent"});
    steps(&machine, &[gone])?.success()?;
    assert_eq!(machine.sh(&format!("{ssh} true"))?.code, 255);

    // As anna would: what stands in the way was made by her, within what the kernel lets her do.
    let elsewhere =
        "mkdir -p /root/.ssh; echo theirs >/root/.ssh/authorized_keys; chmod 600 /root/.ssh/authorized_keys";
    machine.sh(elsewhere)?.success()?;
    let state = "find /root/.ssh /etc/shadow -printf '%p %m %u %g %l\\n'; sha256sum /root/.ssh/* /etc/shadow";
    let before = machine.sh(state)?.success()?.stdout;
    for (planted, said) in [
        ("ln -s /root/.ssh .ssh", "a symbolic link stands there"),
        ("mkdir .ssh; ln -s /root/.ssh/authorized_keys .ssh/authorized_keys", "a symbolic link stands there"),
        ("mkdir .ssh; mkfifo .ssh/authorized_keys", "a special file stands there"),
        ("mkdir -p .ssh/authorized_keys", "a directory stands there"),
        ("mkdir .ssh; ln /home/target .ssh/authorized_keys", "the file has other names too"),
        ("chmod 777 .", "others can write to its home"),
    ] {
        let target = "rm -f /home/target; cp /etc/shadow /home/target; chown anna /home/target";
        machine.sh(&format!("rm -rf /home/anna/.ssh; {target}"))?.success()?;
        machine.run(["su", "anna", "-c", &format!("cd; {planted}")])?.success()?;
        failed(&steps(&machine, &[step("restrict")])?, &[said]);
        assert_eq!(machine.sh(state)?.success()?.stdout, before, "{planted}");
    }
    Ok(())
}

#[test]
fn a_setting_of_the_kernel_is_there_after_a_boot_and_one_that_cannot_be_set_is_told() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let mut machine = bare(&lab, "effectskernel")?;
    let value = |machine: &Machine| machine.read("/proc/sys/net/ipv4/conf/all/log_martians");
    let step = json!({"do": "sysctl", "name": "net.ipv4.conf.all.log_martians", "value": "1"});
    steps(&machine, std::slice::from_ref(&step))?.success()?;
    assert_eq!(value(&machine)?, "1\n");
    // A machine of the lab has a network of its own, which a boot makes anew.
    machine.reboot()?;
    assert_eq!(value(&machine)?, "1\n");
    machine.sh("echo net.ipv4.conf.all.log_martians = 0 >/etc/sysctl.d/99-mine.conf")?.success()?;
    failed(
        &steps(&machine, std::slice::from_ref(&step))?,
        &["`/etc/sysctl.d/99-mine.conf` sets it to `0` at every boot"],
    );

    let swappiness = if machine.read("/proc/sys/vm/swappiness")?.trim() == "7" { "8" } else { "7" };
    let fixed = json!({"do": "sysctl", "name": "vm.swappiness", "value": swappiness});
    failed(
        &steps(&machine, &[fixed])?,
        &["`/proc/sys/vm/swappiness`", "read-only file system", "in a container"],
    );
    machine.sh("test ! -e /etc/sysctl.d/60-paquerette-vm.swappiness.conf")?.success()?;
    let refused = json!({"do": "sysctl", "name": "net.ipv4.conf.all.rp_filter", "value": "many"});
    failed(&steps(&machine, &[refused])?, &["cannot write `many`", "the kernel does not take this value"]);
    let none = json!({"do": "sysctl", "name": "net.bridge.no-such", "value": "1"});
    failed(&steps(&machine, &[none])?, &["there is no setting of the kernel `net.bridge.no-such`"]);
    Ok(())
}

#[test]
fn apache2_and_nginx_read_the_modules_and_sites_that_are_enabled() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "effectsweb")?;
    let package = json!({"do": "package", "names": ["apache2", "nginx"]});
    let module = |name: &str, enabled: bool| json!({"do": "apache_module", "name": name, "enabled": enabled});
    let site = |server: &str, name: &str, enabled: bool| json!({"do": "site", "server": server, "name": name, "enabled": enabled});
    let files = [
        json!({"do": "file", "path": "/etc/apache2/sites-available/law.conf", "content": "<VirtualHost *:80>\nServerName law.test\n</VirtualHost>\n"}),
        json!({"do": "file", "path": "/etc/nginx/sites-available/law", "content": "server { listen 8081; server_name law.test; }\n"}),
    ];
    let on = [
        package.clone(),
        files[0].clone(),
        files[1].clone(),
        module("ssl", true),
        module("proxy_http", true),
        site("apache2", "law", true),
        site("apache2", "000-default", false),
        site("nginx", "law", true),
        site("nginx", "default", false),
    ];
    let first = steps(&machine, &on)?.success()?;
    assert!(first.stdout.contains(" 9 changed"), "{}", first.stdout);
    let asked = "apache2ctl -M && apache2ctl -S 2>&1 && nginx -T 2>/dev/null && a2query -m ssl && a2query -m socache_shmcb && a2query -s law";
    let said = machine.sh(asked)?.success()?.stdout;
    for word in [
        "ssl_module",
        "socache_shmcb_module",
        "proxy_http_module",
        "law.test",
        "server_name law.test",
        "ssl (enabled by site administrator)",
        "law (enabled by site administrator)",
    ] {
        assert!(said.contains(word), "no `{word}` in {said}");
    }
    assert!(!said.contains("000-default.conf") && !said.contains("sites-enabled/default"), "{said}");
    // What a2enmod and a2dissite make of it: nothing is left for them to do.
    let again = "a2enmod ssl proxy_http && a2ensite law && a2dissite 000-default 2>&1";
    let said = machine.sh(again)?.stdout;
    assert!(said.matches("already enabled").count() >= 3 && !said.contains("Enabling"), "{said}");

    failed(&steps(&machine, &[package.clone(), module("proxy", false)])?, &["it is needed by `proxy_http`"]);
    failed(
        &steps(&machine, &[package.clone(), module("mpm_prefork", true)])?,
        &["it conflicts with `mpm_event`"],
    );
    steps(&machine, &[module("ssl", false), module("mpm_event", false), module("mpm_prefork", true)])?
        .success()?;
    let said = machine.sh("apache2ctl -M; a2query -m ssl || echo $?")?.stdout;
    assert!(said.contains("mpm_prefork_module") && !said.contains(" ssl_module"), "{said}");
    // 32: disabled by an administrator, so that no package enables it again.
    assert!(said.ends_with("32\n"), "{said}");
    Ok(())
}

#[test]
fn a_service_is_restarted_as_often_as_what_it_reads_changes() -> Result<()> {
    let Some(lab) = lab::available() else { return Ok(()) };
    let machine = bare(&lab, "effectsoften")?;
    let main = "systemctl show --property=MainPID --value often";
    let mut mains = std::collections::BTreeSet::new();
    // systemd itself refuses the sixth start within that time.
    for number in 0..8 {
        let all = [
            json!({"do": "file", "path": "/etc/often.conf", "content": format!("{number}\n")}),
            json!({"do": "unit", "name": "often.service", "content": "[Unit]\nStartLimitIntervalSec=600\n[Service]\nExecStart=/bin/sleep 1000\n"}),
            json!({"do": "service", "unit": "often.service", "enabled": false}),
            json!({"do": "reload", "unit": "often.service", "reads": ["/etc/often.conf"], "how": "restart"}),
        ];
        steps(&machine, &all)?.success()?;
        mains.insert(machine.sh(main)?.text().to_owned());
    }
    assert_eq!(mains.len(), 8);
    let log = machine.sh("journalctl -u often --no-pager")?.stdout;
    assert!(log.contains("Start request repeated too quickly"), "the limit was not reached: {log}");
    Ok(())
}
