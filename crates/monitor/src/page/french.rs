//! What checks of these tools are about and answer, in French.
//!
//! Always true here: what is not in the book is somebody's own words, and stays as it is.

/// English and French; `{}` is whatever stands there, itself in French where it is in the book. The first that fits is taken.
#[rustfmt::skip]
const BOOK: &[(&str, &str)] = &[
    // What checks of the catalogue are about.
    ("backups are young, and can be restored", "les sauvegardes sont récentes et restaurables"),
    ("certificates are renewed", "les certificats sont renouvelés"),
    ("the web server has read the renewed certificate of {}", "le serveur web a relu le certificat renouvelé de {}"),
    ("the certificate of {} is good, and served", "le certificat de {} est bon, et servi"),
    ("the clock is set by others", "l'horloge est réglée par d'autres"),
    ("the clock is right", "l'horloge est juste"),
    ("the firewall is on", "le pare-feu est actif"), ("the firewall is off", "le pare-feu est inactif"),
    ("the journal is written", "le journal s'écrit"),
    ("mail leaves the machine", "le courrier quitte la machine"),
    ("the disk of the system has room", "il y a de la place sur le disque du système"),
    ("the disk of the instances has room", "il y a de la place sur le disque des instances"),
    ("the disk of {} has room", "il y a de la place sur le disque de {}"),
    ("the processors keep up", "les processeurs suivent"),
    ("there is memory left", "il reste de la mémoire"), ("there is swap left", "il reste de la mémoire d'échange"),
    ("nothing is ended for want of memory", "rien n'est tué faute de mémoire"),
    ("no run of these tools was left half-way", "aucune exécution de ces outils n'est restée en chemin"),
    ("updates are installed", "les mises à jour sont installées"),
    ("{} comes at its times", "{} passe à ses heures"),
    // What the monitor says of itself.
    ("every channel takes messages", "chaque voie prend les messages"), ("the clock runs on evenly", "l'horloge avance régulièrement"),
    ("messages are taken", "les messages sont pris"), ("the history can be written", "l'historique peut s'écrire"),
    ("what is watched can be read", "ce qui est surveillé peut se lire"),
    ("what was remembered can be read and written", "ce qui est retenu peut se lire et s'écrire"),
    ("this machine has a network", "cette machine a un réseau"), ("each run comes to its end", "chaque passage arrive à sa fin"),
    // Pages.
    ("{} answers {} without the text {} in its first MiB", "{} répond {} sans le texte {} dans son premier Mio"),
    ("{} answers {} without the text {}", "{} répond {} sans le texte {}"),
    ("{} answers {} with the text {}", "{} répond {} avec le texte {}"),
    ("{} answers {} and does not match {}", "{} répond {} et ne correspond pas à {}"),
    ("{} answers {}, not {}", "{} répond {}, et non {}"),
    ("{} answers slowly: {}, more than {}", "{} répond lentement : {}, plus de {}"),
    ("{} is redirected in circles, over {}", "{} est redirigée en rond, par {}"),
    ("{} is redirected more than {} times", "{} est redirigée plus de {} fois"),
    ("the header {} of {} is {}, not {}", "l'en-tête {} de {} est {}, et non {}"),
    ("{} began to answer and did not end in time", "{} a commencé à répondre sans finir à temps"),
    ("the web server runs, and what it hands on to does not answer", "le serveur web tourne, mais ce à quoi il transmet ne répond pas"),
    ("the application failed: its log says why", "l'application a échoué : son journal dit pourquoi"),
    ("it lets nobody in", "elle ne laisse entrer personne"), ("nothing is there", "il n'y a rien là"),
    ("it redirects: `redirects` of the check says how many are followed", "elle redirige : `redirects` dit combien de fois on suit"),
    ("it begins {}", "elle commence par {}"),
    ("{} redirects to {}, which is no address", "{} redirige vers {}, qui n'est pas une adresse"),
    ("the answer of {} broke off after {} bytes", "la réponse de {} s'est interrompue après {} octets"), ("fewer than it announced", "moins qu'annoncé"),
    ("{} is no regular expression", "{} n'est pas une expression régulière"),
    ("{} is no address with a port, such as {}", "{} n'est pas une adresse avec un port, comme {}"),
    // Names, ports, sockets.
    ("{} refuses connections: nobody listens", "{} refuse les connexions : personne n'écoute"),
    ("{} does not answer in time", "{} ne répond pas à temps"), ("{} does not listen on its socket", "{} n'écoute pas sur sa socket"),
    ("{} is not there", "{} n'est pas là"), ("there is no way to {}: {}", "aucun chemin ne mène à {} : {}"),
    ("{} leads to no address", "{} ne mène à aucune adresse"), ("the name {} is not found: {}", "le nom {} est introuvable : {}"),
    ("nobody said in time where {} is", "personne n'a dit à temps où se trouve {}"),
    ("{} answers, and wants a password", "{} répond, et veut un mot de passe"),
    ("{} is reading its data still", "{} lit encore ses données"), ("{} cannot write its data: {}", "{} ne peut pas écrire ses données : {}"),
    ("it may be at work on something long, or out of connections", "il est peut-être occupé, ou à court de connexions"),
    ("{} says that there is no {}", "{} dit que {} n'existe pas"),
    ("{} hung up without a word", "{} a raccroché sans un mot"), ("{} refuses: {} ({})", "{} refuse : {} ({})"),
    ("{} answers what nobody understands", "{} répond ce que personne ne comprend"), ("{} answers {} for {}", "{} répond {} pour {}"),
    ("{} cannot find out about {} (SERVFAIL)", "{} n'apprend rien de {} (SERVFAIL)"), ("{} refuses to say anything of {}", "{} refuse de rien dire de {}"),
    ("{} says nothing of that kind of {}", "{} ne dit rien de ce genre de {}"), ("{} is {}, and not {}", "{} est {}, et non {}"),
    ("{} is no name of the DNS", "{} n'est pas un nom du DNS"), ("{} is no address, such as {}", "{} n'est pas une adresse, comme {}"),
    ("nothing that is looked up by its name is found while it does not answer", "rien ne se trouve par son nom tant qu'il ne répond pas"),
    ("the servers of that domain do not answer, or its signatures are not good", "les serveurs de ce domaine ne répondent pas, ou ses signatures ne sont pas bonnes"),
    ("does its entry in the DNS exist, and does this machine's resolver answer ({})?", "son entrée au DNS existe-t-elle, et le résolveur de cette machine répond-il ({}) ?"),
    ("this machine's resolver does not answer: see {}", "le résolveur de cette machine ne répond pas : voir {}"),
    // Machines that watch each other.
    ("host {} is there, and its web server does not run: {}", "la machine {} est là, et son serveur web ne tourne pas : {}"),
    ("host {} is gone: {}", "la machine {} a disparu : {}"), ("host {} answers ({})", "la machine {} répond ({})"),
    ("nobody says where host {} is: {}", "personne ne dit où se trouve la machine {} : {}"),
    ("who answers does not prove to be host {}: {}", "qui répond ne prouve pas être la machine {} : {}"),
    ("look at it from its provider's console; where it runs, the way to it is cut", "regardez-la depuis la console de l'hébergeur ; si elle tourne, c'est le chemin qui est coupé"),
    // Certificates.
    ("{} is pending: {}", "{} est en attente : {}"), ("{} is pending", "{} est en attente"),
    ("{} of {} asks again, and {} at once", "{} de {} redemande, et {} tout de suite"),
    ("the next run", "le prochain passage"), ("a run after {}", "un passage après {}"),
    ("{} is good for {} ({} % of its time are over)", "{} est valable encore {} ({} % de sa durée sont passés)"),
    ("{}: the certificate number {} of its chain, {}, expired {} ago", "{} : le certificat numéro {} de sa chaîne, {}, a expiré il y a {}"), ("{} expired {} ago", "{} a expiré il y a {}"), ("{} is not for the name {}", "{} n'est pas pour le nom {}"),
    ("{} holds no certificate", "{} ne contient aucun certificat"), ("{} sends no certificate for {}", "{} n'envoie pas de certificat pour {}"),
    ("{} leads to {}, whom this machine does not trust", "{} mène à {}, à qui cette machine ne se fie pas"),
    ("{} comes without its chain: nothing of its issuer {} is with it", "{} vient sans sa chaîne : rien de son émetteur {} ne l'accompagne"),
    ("{} says when {} is renewed, {} does it", "{} dit quand {} se renouvelle, {} le fait"),
    ("it should have been renewed", "il aurait dû être renouvelé"),
    ("the server has not read it since it was renewed: reload it", "le serveur ne l'a pas relu depuis son renouvellement : rechargez-le"),
    ("{} is valid in {} only, or this machine's clock is behind", "{} n'est valable que dans {}, ou l'horloge de cette machine retarde"),
    ("{} is no certificate: {}", "{} n'est pas un certificat : {}"), ("{} is no name of a server", "{} n'est pas un nom de serveur"),
    ("{} does not speak TLS as it should: {}", "{} ne parle pas TLS comme il faut : {}"), ("{} does not end its handshake in time", "{} ne finit pas sa poignée de main à temps"),
    ("{} does not serve the certificate in {}: number {} is served, {} is on the disk", "{} ne sert pas le certificat dans {} : le numéro {} est servi, {} est sur le disque"),
    ("serve {}, not {}; some programs find the rest by themselves, others do not", "servez {}, et non {} ; certains programmes trouvent le reste seuls, d'autres non"),
    ("this machine trusts no authority at all", "cette machine ne se fie à aucune autorité"),
    ("this machine's clock is years behind: no certificate can be judged", "l'horloge de cette machine retarde d'années : aucun certificat ne peut être jugé"),
    // Units and processes.
    ("{} failed: {}", "{} a échoué : {}"), ("{} does not run ({})", "{} ne tourne pas ({})"),
    ("{} does not run here: its own conditions are not met", "{} ne tourne pas ici : ses propres conditions ne sont pas remplies"),
    ("{} fails, and systemd starts it again and again", "{} échoue, et systemd le relance encore et encore"),
    ("{} runs, and systemd had to start it again {} times since it was last asked", "{} tourne, mais systemd a dû le relancer {} fois depuis la dernière vérification"),
    ("{} is starting ({})", "{} démarre ({})"), ("{} is masked: it may not start", "{} est masqué : il ne peut pas démarrer"),
    ("there is no unit {}", "il n'y a pas d'unité {}"), ("{} takes {} MiB of memory, more than {}", "{} prend {} Mio de mémoire, plus de {}"),
    ("the kernel ended it for want of memory", "le noyau l'a tué faute de mémoire"), ("it ended with status {}", "il a fini avec le statut {}"),
    ("signal {} ended it", "le signal {} l'a tué"), ("it took too long to start or stop", "il a mis trop de temps à démarrer ou à s'arrêter"),
    ("it was started too often in a short time", "il a été lancé trop souvent en peu de temps"),
    ("{}; {} starts it", "{} ; {} le démarre"), ("started again {}, and it does not run", "relancé {}, il ne tourne toujours pas"),
    ("there is no user {}, whose processes should run", "il n'y a pas d'utilisateur {}, dont des processus devraient tourner"), ("no process {} runs", "aucun processus {} ne tourne"), ("one process {} runs", "un processus {} tourne"),
    ("{} processes {} run, fewer than {}", "{} processus {} tournent, moins de {}"),
    ("its package may be gone, or its name another one", "son paquet est peut-être parti, ou son nom est autre"),
    ("systemd does not say how {} is: {}", "systemd ne dit pas comment va {} : {}"), ("systemd says nothing of {}", "systemd ne dit rien de {}"),
    ("{} processes {} run, more than {}", "{} processus {} tournent, plus de {}"), ("{} processes {} run", "{} processus {} tournent"),
    ("{} runs; it had to be started again ({}): {}", "{} tourne ; il a fallu le relancer ({}) : {}"),
    ("{} ended with {}, which no plugin does: {}", "{} a fini avec {}, ce que ne fait aucun greffon : {}"), ("{} ended with {}", "{} a fini avec {}"),
    ("{} was ended, with all that it had started: {}", "{} a été arrêté, avec tout ce qu'il avait lancé : {}"),
    // Disks, memory, processors.
    ("{} is {} % full, {} are left", "{} est plein à {} %, il reste {}"),
    ("{} will be full in {} at the pace of the last two days ({} are left)", "{} sera plein dans {} au rythme des deux derniers jours (il reste {})"),
    ("{} has no room for more files: {} % of them are there, {} more files fit", "{} n'a plus de place pour d'autres fichiers : {} % y sont, il en tient encore {}"),
    ("the file system of {} became read-only", "le système de fichiers de {} est passé en lecture seule"),
    ("{} says why: most often the disk is failing", "{} dit pourquoi : le plus souvent, le disque lâche"),
    ("{} says where; {} what may go", "{} dit où ; {} ce qui peut partir"),
    ("{} % of the {} are taken: {} of {} are left", "{} % de la {} sont pris : il reste {} sur {}"),
    ("{} processes want one of {} processors, over five minutes ({} %)", "{} processus veulent un des {} processeurs, sur cinq minutes ({} %)"),
    ("there is no swap", "il n'y a pas de mémoire d'échange"),
    ("the kernel ended nothing for want of memory", "le noyau n'a rien tué faute de mémoire"),
    ("the kernel ended {} for want of memory", "le noyau a tué {} faute de mémoire"),
    ("{} says which process was how large", "{} dit quel processus était grand, et combien"),
    ("{} says by whom", "{} dit par qui"), ("{} says which", "{} dit lesquels"),
    ("cannot read what {} said last: {}", "ce que {} a dit en dernier ne peut se lire : {}"), ("cannot look at {}: {}", "{} ne peut pas être examiné : {}"), ("cannot read {}: {}", "{} ne peut pas se lire : {}"),
    ("{} says where they are", "{} dit où ils sont"),
    ("the kernel does not say how much {} there is", "le noyau ne dit pas combien il y a de {}"),
    ("the kernel does not say how much the processors have to do", "le noyau ne dit pas combien les processeurs ont à faire"),
    ("this kernel does not count what it ends for want of memory", "ce noyau ne compte pas ce qu'il tue faute de mémoire"),
    ("from now on it is seen what the kernel ends for want of memory", "à partir de maintenant, on voit ce que le noyau tue faute de mémoire"),
    // Backups, jobs, updates, mail, the clock.
    ("{} items are backed up, the oldest {} ago; a restore was proven {} ago", "{} éléments sont sauvegardés, le plus ancien il y a {} ; une restauration a été prouvée il y a {}"),
    ("{} items are backed up, and no restore was ever proven", "{} éléments sont sauvegardés, et aucune restauration n'a été prouvée"),
    ("the last restore was proven {} ago", "la dernière restauration a été prouvée il y a {}"),
    ("the newest backup of {} is {} old: {}", "la dernière sauvegarde de {} a {} : {}"),
    ("there is no backup of {} (and {} more)", "il n'y a pas de sauvegarde de {} (et {} autres)"), ("there is no backup of {}: {}", "il n'y a pas de sauvegarde de {} : {}"),
    ("the newest backup of {} is {} old (and {} more)", "la dernière sauvegarde de {} a {} (et {} autres)"),
    ("the newest backup of {} is {} old", "la dernière sauvegarde de {} a {}"),
    ("there is no backup of {}", "il n'y a pas de sauvegarde de {}"), ("nothing is backed up here", "rien n'est sauvegardé ici"),
    ("what is stored in {} is damaged: {}", "ce qui est conservé dans {} est abîmé : {}"),
    ("{} says how each is; {} makes one now", "{} dit comment va chacune ; {} en fait une maintenant"),
    ("{} names the files; another copy may be whole", "{} nomme les fichiers ; une autre copie est peut-être entière"),
    ("{} proves one", "{} en prouve une"),
    ("{} was last written {} ago, more than {}", "{} a été écrit il y a {}, plus de {}"), ("{} was last written {} ago", "{} a été écrit il y a {}"),
    ("{} said nothing for {}, more than {}", "{} n'a rien dit depuis {}, plus de {}"), ("{} failed {} ago", "{} a échoué il y a {}"),
    ("{} was well {} ago", "{} allait bien il y a {}"), ("{} never said that it is well", "{} n'a jamais dit qu'il va bien"),
    ("it did not run, or did not come to its end", "il n'a pas tourné, ou n'est pas arrivé à sa fin"),
    ("{} updates wait, {} of them for security", "{} mises à jour attendent, dont {} de sécurité"),
    ("{} updates for security wait, for {}", "{} mises à jour de sécurité attendent, depuis {}"),
    ("the machine should be booted anew, for {}: {}", "la machine devrait être redémarrée, depuis {} : {}"),
    ("{} names them, {} installs them", "{} les nomme, {} les installe"),
    ("no run was left half-way", "aucune exécution n'est restée en chemin"),
    ("{} mails wait, more than {}", "{} messages attendent, plus de {}"), ("{} mails wait", "{} messages attendent"),
    ("{} says where they should go and why they do not", "{} dit où ils devraient aller, et pourquoi ils n'y vont pas"),
    ("nobody sets the clock: it drifts", "personne ne règle l'horloge : elle dérive"),
    ("the clock is years behind", "l'horloge retarde d'années"), ("{} says who sets it", "{} dit qui la règle"),
    ("timedatectl does not say whether the clock is set: {}", "timedatectl ne dit pas si l'horloge est réglée : {}"),
    ("a mail waits for {}, more than {}; {} wait in all", "un message attend depuis {}, plus de {} ; {} attendent en tout"),
    ("cannot find out how long mail waits: {}", "impossible de savoir depuis quand le courrier attend : {}"),
    ("there is no {}: Postfix is not here", "il n'y a pas de {} : Postfix n'est pas là"),
    ("the job should end with {}", "la tâche devrait finir par {}"), ("what {} said last cannot be read", "ce que {} a dit en dernier ne peut se lire"),
    ("{} failed {} ago: {}", "{} a échoué il y a {} : {}"),
    ("apt does not say what waits: {}", "apt ne dit pas ce qui attend : {}"), ("{} was not installed to its end", "{} n'a pas été installé jusqu'au bout"), ("{} ends it", "{} le finit"),
    ("the transaction {} is {} since {}, begun by {}", "la transaction {} est {} depuis {}, commencée par {}"),
    ("{} undoes it, {} with its plan goes on", "{} la défait, {} avec son plan la poursuit"), ("run the same command again", "lancez à nouveau la même commande"),
    ("the next run that changes this machine goes on with it, or undoes it", "la prochaine exécution qui change cette machine la poursuit, ou la défait"),
    // The monitor's own runs and network.
    ("this machine has no network: nothing is known ({})", "cette machine n'a pas de réseau : rien n'est connu ({})"),
    ("this machine has no network: {}", "cette machine n'a pas de réseau : {}"),
    ("there is no way out: no default route over a line that is up", "aucune sortie : pas de route par défaut sur une ligne active"),
    ("none of {} answers", "aucun de {} ne répond"),
    ("{} runs were left out, since the one before was still at work", "{} passages ont été omis, car le précédent durait encore"),
    ("there was no time left to ask it in this run", "il ne restait plus de temps pour cette vérification"),
    ("nothing came back within {} s, not even an error", "rien n'est revenu en {} s, pas même une erreur"),
    ("the run before, process {}, was killed or broke down", "le passage précédent, processus {}, a été tué ou s'est effondré"),
    ("see which checks take long: {}", "voir quelles vérifications durent : {}"),
    ("too many checks let the run wait: give them a shorter {}, or ask them less often with {}", "trop de vérifications font attendre : donnez-leur un {} plus court, ou espacez-les avec {}"),
    ("the kernel itself may not answer: a disk or a network file system that hangs ({})", "le noyau lui-même ne répond peut-être pas : un disque ou un système de fichiers en réseau bloqué ({})"),
    ("the check broke down: this is a bug in paquerette", "la vérification s'est effondrée : c'est un défaut de paquerette"),
    ("the clock was set by {} s since the last run: times were brought in line", "l'horloge a été changée de {} s depuis le dernier passage : les temps ont été remis d'accord"),
    ("the history was spoilt, and begins anew; the old one is kept as {}", "l'historique était abîmé et recommence ; l'ancien est gardé comme {}"),
    ("a message waits since {}: {}", "un message attend depuis {} : {}"), ("{} tries each way now", "{} essaie chaque voie maintenant"),
    ("a message was refused for hours by a way that takes others: {}", "un message a été refusé pendant des heures par une voie qui en prend d'autres : {}"),
    ("{} in that file is what the way said", "{} dans ce fichier est ce qu'a dit la voie"),
    ("nothing was taken by {} for {} days, not even a digest", "{} n'a rien pris depuis {} jours, pas même un résumé"),
    ("what is remembered cannot be written", "ce qui est retenu ne peut pas s'écrire"),
    ("make room there, or remount it read-write; until then it is kept in {}", "faites-y de la place, ou remontez-le en écriture ; d'ici là c'est gardé dans {}"),
    // The shortest come last: they fit into much.
    ("{} says more", "{} en dit plus"), ("{} says why", "{} dit pourquoi"), ("{} says where", "{} dit où"),
    ("{} is there", "{} est là"), ("{} answers {}", "{} répond {}"), ("{} answers", "{} répond"), ("{} listens", "{} écoute"), ("{} runs", "{} tourne"),
    // What is named in other sentences.
    ("the ssh server", "le serveur ssh"), ("the memory", "la mémoire"), ("memory", "mémoire"), ("swap", "mémoire d'échange"),
    ("the PHP pool of {}", "le pool PHP de {}"), ("the process of {}", "le processus de {}"), ("the Redis of {}", "le Redis de {}"),
    ("the certificate of {}", "le certificat de {}"), ("the certificate in {}", "le certificat dans {}"),
    ("the name server {}", "le serveur de noms {}"), ("Redis at {}", "Redis à {}"),
];

/// A text in French; nothing where it is not in the book.
pub fn of(text: &str) -> Option<String> {
    if let Some(length) = length(text) {
        return Some(length);
    }
    BOOK.iter().find_map(|(english, french)| {
        let found = fits(english, text)?;
        let mut found = found.into_iter().map(|it| of(it).unwrap_or_else(|| it.to_owned()));
        let mut parts = french.split("{}");
        let mut out = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            out.push_str(&found.next().unwrap_or_default());
            out.push_str(part);
        }
        Some(out)
    })
}

/// A length of time, or a size.
fn length(text: &str) -> Option<String> {
    let (number, unit) = text.split_once(' ')?;
    let unit = match unit {
        "days" => "jours",
        "hours" => "heures",
        "d" => "j",
        "KiB" => "Kio",
        "MiB" => "Mio",
        "GiB" => "Gio",
        "TiB" => "Tio",
        "minutes" | "min" | "h" | "s" => unit,
        _ => return None,
    };
    number.parse::<f64>().is_ok().then(|| format!("{} {unit}", number.replace('.', ",")))
}

/// What stands at each `{}`, the shortest that fits; nothing where the text is another one.
fn fits<'t>(pattern: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut parts = pattern.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    let parts: Vec<&str> = parts.collect();
    for (at, part) in parts.iter().enumerate() {
        let last = at + 1 == parts.len();
        let end = if last { rest.strip_suffix(part)?.len() } else { rest.find(part)? };
        let (this, after) = rest.split_at_checked(end)?;
        // Somebody's sentence is none of ours for beginning or ending like one.
        if this.is_empty() {
            return None;
        }
        found.push(this);
        rest = after.get(part.len()..)?;
    }
    rest.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_found_with_what_stands_in_them() {
        for (english, french) in [
            ("the PHP pool of wiki answers", "le pool PHP de wiki répond"),
            ("`/srv` is 91 % full, 4.1 GiB are left", "`/srv` est plein à 91 %, il reste 4,1 Gio"),
            (
                "the certificate of `a.test` is good for 12 days (86 % of its time are over)",
                "le certificat de `a.test` est valable encore 12 jours (86 % de sa durée sont passés)",
            ),
        ] {
            assert_eq!(of(english).as_deref(), Some(french));
        }
        for own in ["la page du club", "runs", " answers", "", "it answers!"] {
            assert_eq!(of(own), None, "{own}");
        }
    }

    #[test]
    fn every_sentence_has_as_many_places_in_french_and_what_the_monitor_says_of_itself_is_there() {
        for (english, french) in BOOK {
            assert_eq!(english.matches("{}").count(), french.matches("{}").count(), "{english}");
            // None is hidden behind one that comes before it.
            let said = of(&english.replace("{}", "`x`"));
            assert_eq!(said, Some(french.replace("{}", "`x`")), "{english}");
        }
        for (_, about) in crate::setup::OWN {
            assert!(of(about).is_some(), "{about}");
        }
    }
}
