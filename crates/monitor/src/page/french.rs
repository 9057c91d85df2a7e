//! What checks of these tools are about and answer, in French.
//!
//! Always true here: what is not in the book is somebody's own words, and stays as it is.

/// English and French; `{}` is whatever stands there, itself in French where it is in the book. The first that fits is taken.
#[rustfmt::skip]
const BOOK: &[(&str, &str)] = &[
    // What is named in other sentences.
    ("the ssh server", "le serveur ssh"), ("the memory", "la mémoire"), ("memory", "mémoire"), ("swap", "mémoire d'échange"),
    ("the PHP pool of {}", "le pool PHP de {}"), ("the process of {}", "le processus de {}"), ("the Redis of {}", "le Redis de {}"),
    ("the certificate of {}", "le certificat de {}"), ("the certificate in {}", "le certificat dans {}"),
    ("the name server {}", "le serveur de noms {}"), ("Redis at {}", "Redis à {}"),
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
    // Certificates.
    ("{} is good for {} ({} % of its time are over)", "{} est valable encore {} ({} % de sa durée sont passés)"),
    ("{} expired {} ago", "{} a expiré il y a {}"), ("{} is not for the name {}", "{} n'est pas pour le nom {}"),
    ("{} holds no certificate", "{} ne contient aucun certificat"), ("{} sends no certificate for {}", "{} n'envoie pas de certificat pour {}"),
    ("{} leads to {}, whom this machine does not trust", "{} mène à {}, à qui cette machine ne se fie pas"),
    ("{} comes without its chain: nothing of its issuer {} is with it", "{} vient sans sa chaîne : rien de son émetteur {} ne l'accompagne"),
    ("{} says when {} is renewed, {} does it", "{} dit quand {} se renouvelle, {} le fait"),
    ("it should have been renewed", "il aurait dû être renouvelé"),
    ("the server has not read it since it was renewed: reload it", "le serveur ne l'a pas relu depuis son renouvellement : rechargez-le"),
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
    ("no process {} runs", "aucun processus {} ne tourne"), ("one process {} runs", "un processus {} tourne"),
    ("{} processes {} run, fewer than {}", "{} processus {} tournent, moins de {}"),
    // Disks, memory, processors.
    ("{} is {} % full, {} are left", "{} est plein à {} %, il reste {}"),
    ("{} will be full in {} at the pace of the last two days ({} are left)", "{} sera plein dans {} au rythme des deux derniers jours (il reste {})"),
    ("{} has no room for more files: {} % of them are there, {} more files fit", "{} n'a plus de place pour d'autres fichiers : {} % y sont, il en tient encore {}"),
    ("the file system of {} became read-only", "le système de fichiers de {} est passé en lecture seule"),
    ("{} says why: most often the disk is failing", "{} dit pourquoi : le plus souvent, le disque lâche"),
    ("{} says where; {} what may go", "{} dit où ; {} ce qui peut partir"),
    ("{} of {} are left", "il reste {} sur {}"),
    ("{} % of the {} are taken: {} of {} are left", "{} % de la {} sont pris : il reste {} sur {}"),
    ("{} processes want one of {} processors, over five minutes ({} %)", "{} processus veulent un des {} processeurs, sur cinq minutes ({} %)"),
    ("there is no swap", "il n'y a pas de mémoire d'échange"),
    ("the kernel ended nothing for want of memory", "le noyau n'a rien tué faute de mémoire"),
    ("the kernel ended {} for want of memory", "le noyau a tué {} faute de mémoire"),
    ("{} says which process was how large", "{} dit quel processus était grand, et combien"),
    ("{} says by whom", "{} dit par qui"), ("{} says which", "{} dit lesquels"),
    // Backups, jobs, updates, mail, the clock.
    ("{} items are backed up, the oldest {} ago; a restore was proven {} ago", "{} éléments sont sauvegardés, le plus ancien il y a {} ; une restauration a été prouvée il y a {}"),
    ("{} items are backed up, and no restore was ever proven", "{} éléments sont sauvegardés, et aucune restauration n'a été prouvée"),
    ("the last restore was proven {} ago", "la dernière restauration a été prouvée il y a {}"),
    ("the newest backup of {} is {} old: {}", "la dernière sauvegarde de {} a {} : {}"),
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
    // The monitor's own runs and network.
    ("this machine has no network: {}", "cette machine n'a pas de réseau : {}"),
    ("there is no way out: no default route over a line that is up", "aucune sortie : pas de route par défaut sur une ligne active"),
    ("none of {} answers", "aucun de {} ne répond"),
    ("{} runs were left out, since the one before was still at work", "{} passages ont été omis, car le précédent durait encore"),
    ("there was no time left to ask it in this run", "il ne restait plus de temps pour cette vérification"),
    ("nothing came back within {} s, not even an error", "rien n'est revenu en {} s, pas même une erreur"),
    // The shortest come last: they fit into much.
    ("{} says more", "{} en dit plus"), ("{} says why", "{} dit pourquoi"), ("{} says where", "{} dit où"),
    ("{} answers {}", "{} répond {}"), ("{} answers", "{} répond"), ("{} listens", "{} écoute"), ("{} runs", "{} tourne"),
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

/// A length of time.
fn length(text: &str) -> Option<String> {
    let (number, unit) = text.split_once(' ')?;
    let unit = match unit {
        "days" => "jours",
        "hours" => "heures",
        "d" => "j",
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
            ("`/srv` is 91 % full, 4.1 GiB are left", "`/srv` est plein à 91 %, il reste 4.1 GiB"),
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
