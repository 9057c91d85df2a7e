//! Chromium without a window, spoken to in its own protocol over a pipe (`--remote-debugging-pipe`: messages of JSON, each with a zero
//! byte at its end): <https://chromedevtools.github.io/devtools-protocol/>.

use std::collections::VecDeque;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The names under which it may be installed, the smallest first.
const NAMES: [&str; 3] = ["chromium-headless-shell", "chromium", "google-chrome"];

/// How long an answer may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(200);

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// A browser that runs.
pub struct Browser {
    child: Child,
    input: ChildStdin,
    output: Receiver<Value>,
    events: VecDeque<Value>,
    number: u64,
    home: TempDir,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct View {
    pub width: u32,
    pub height: u32,
    /// Device pixels a pixel.
    pub density: u32,
    /// `light` or `dark`.
    pub scheme: &'static str,
    /// The reader's language, as the browser says it.
    pub language: &'static str,
    /// `screen` or `print`.
    pub media: &'static str,
    /// Whether the page's own script may run.
    pub scripts: bool,
}

/// A page that was opened, and what was wrong while it was.
pub struct Tab<'b> {
    browser: &'b mut Browser,
    session: String,
    target: String,
    context: String,
    address: String,
}

impl Browser {
    /// The program, where there is one.
    pub fn program() -> Option<&'static str> {
        NAMES
            .into_iter()
            .find(|name| Command::new(name).arg("--version").output().is_ok_and(|it| it.status.success()))
    }

    /// Starts it.
    pub fn start(program: &str) -> Result<Browser> {
        let home = tempfile::tempdir()?;
        let log = fs::File::create(home.path().join("log"))?;
        // It reads from descriptor 3 and writes to 4.
        let mut child = Command::new("sh")
            .args([
                "-c",
                "exec \"$0\" \"$@\" 3<&0 4>&1 </dev/null >/dev/null",
                program,
                "--remote-debugging-pipe",
                "--headless",
                "--no-sandbox",
            ])
            .args([
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--hide-scrollbars",
                "--no-first-run",
                "--disable-background-networking",
            ])
            .args([
                "--disable-component-update",
                "--disable-extensions",
                "--force-color-profile=srgb",
                "--font-render-hinting=none",
            ])
            .arg(format!("--user-data-dir={}", home.path().join("profile").display()))
            .env("FONTCONFIG_FILE", Path::new(env!("CARGO_MANIFEST_DIR")).join("page/fonts.conf"))
            .env("XDG_CACHE_HOME", home.path().join("cache"))
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let input = child.stdin.take().ok_or("no pipe to the browser")?;
        let output = child.stdout.take().ok_or("no pipe from the browser")?;
        Ok(Browser { child, input, output: listen(output), events: VecDeque::new(), number: 0, home })
    }

    /// Asks it something, and waits for its answer; what it tells meanwhile is kept.
    pub fn ask(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value> {
        self.number += 1;
        let mut message = json!({ "id": self.number, "method": method, "params": params });
        if let Some(session) = session {
            message["sessionId"] = session.into();
        }
        let mut bytes = serde_json::to_vec(&message)?;
        bytes.push(0);
        self.input.write_all(&bytes)?;
        let until = Instant::now() + PATIENCE;
        loop {
            let told = self.told(until).map_err(|error| format!("{method}: {error}"))?;
            if told["id"] != self.number {
                self.events.push_back(told);
            } else if let Some(error) = told.get("error") {
                return Err(format!("{method}: {error}").into());
            } else {
                return Ok(told["result"].clone());
            }
        }
    }

    /// Waits until it tells this.
    fn wait(&mut self, session: &str, event: &str) -> Result<()> {
        let until = Instant::now() + PATIENCE;
        let is = |told: &Value| told["method"] == event && told["sessionId"] == session;
        while !self.events.iter().any(is) {
            let told = self.told(until).map_err(|error| format!("{event}: {error}"))?;
            self.events.push_back(told);
        }
        Ok(())
    }

    fn told(&mut self, until: Instant) -> Result<Value> {
        match self.output.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(told) => Ok(told),
            Err(RecvTimeoutError::Timeout) => Err("the browser does not answer in time".into()),
            Err(RecvTimeoutError::Disconnected) => {
                let log = fs::read_to_string(self.home.path().join("log")).unwrap_or_default();
                Err(format!("the browser is gone: {log}").into())
            }
        }
    }

    /// Opens a file in a profile of its own.
    pub fn open(&mut self, file: &Path, view: View) -> Result<Tab<'_>> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let context = text(&self.ask(None, "Target.createBrowserContext", json!({}))?["browserContextId"]);
        let made = self.ask(
            None,
            "Target.createTarget",
            json!({ "url": "about:blank", "browserContextId": context }),
        )?;
        let target = text(&made["targetId"]);
        let attached =
            self.ask(None, "Target.attachToTarget", json!({ "targetId": target, "flatten": true }))?;
        let session = text(&attached["sessionId"]);
        let agent = self.ask(None, "Browser.getVersion", json!({}))?["userAgent"].clone();
        let screen = json!({ "width": view.width, "height": view.height, "deviceScaleFactor": view.density, "mobile": false });
        let features = json!([{ "name": "prefers-color-scheme", "value": view.scheme }]);
        let address = format!("file://{}", file.display());
        for (method, params) in [
            ("Page.enable", json!({})),
            ("Runtime.enable", json!({})),
            ("Log.enable", json!({})),
            ("Network.enable", json!({})),
            ("Emulation.setDeviceMetricsOverride", screen),
            ("Emulation.setEmulatedMedia", json!({ "media": view.media, "features": features })),
            (
                "Emulation.setUserAgentOverride",
                json!({ "userAgent": agent, "acceptLanguage": view.language }),
            ),
            ("Emulation.setScriptExecutionDisabled", json!({ "value": !view.scripts })),
            ("Page.navigate", json!({ "url": address })),
        ] {
            self.ask(Some(&session), method, params)?;
        }
        self.wait(&session, "Page.loadEventFired")?;
        Ok(Tab { browser: self, session, target, context, address })
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends by itself, with all of its own processes; who does not is killed.
        if self.ask(None, "Browser.close", json!({})).is_err() {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

/// What comes over the pipe, message by message.
fn listen(output: ChildStdout) -> Receiver<Value> {
    let (to, from) = channel();
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        loop {
            let mut bytes = Vec::new();
            if output.read_until(0, &mut bytes).is_err() || bytes.pop() != Some(0) {
                return;
            }
            let Ok(message) = serde_json::from_slice(&bytes) else { return };
            if to.send(message).is_err() {
                return;
            }
        }
    });
    from
}

impl Tab<'_> {
    fn ask(&mut self, method: &str, params: Value) -> Result<Value> {
        self.browser.ask(Some(&self.session), method, params)
    }

    /// The value of an expression, which may be a promise.
    pub fn value(&mut self, expression: &str) -> Result<Value> {
        let params = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.ask("Runtime.evaluate", params)?;
        match answer.get("exceptionDetails") {
            Some(thrown) => Err(format!("{thrown}").into()),
            None => Ok(answer["result"]["value"].clone()),
        }
    }

    /// Presses the mouse's button at a place.
    pub fn click(&mut self, x: f64, y: f64) -> Result<()> {
        for kind in ["mousePressed", "mouseReleased"] {
            let params = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.ask("Input.dispatchMouseEvent", params)?;
        }
        Ok(())
    }

    /// What is seen of the page.
    pub fn picture(&mut self) -> Result<Vec<u8>> {
        let taken = self.ask("Page.captureScreenshot", json!({ "format": "webp", "quality": 90 }))?;
        let data = taken["data"].as_str().ok_or("there is no picture")?;
        Ok(base64::engine::general_purpose::STANDARD.decode(data)?)
    }

    /// What was said on the console, thrown, and loaded beside the page itself, until now.
    pub fn complaints(&mut self) -> Result<Vec<String>> {
        // What was told before this is answered has come by then.
        self.value("new Promise(done => setTimeout(done, 50))")?;
        let mut found = Vec::new();
        for told in self.browser.events.iter().filter(|it| it["sessionId"] == self.session.as_str()) {
            let params = &told["params"];
            match told["method"].as_str().unwrap_or_default() {
                "Runtime.consoleAPICalled" => {
                    found.push(format!("console: {} {}", params["type"], params["args"]))
                }
                "Runtime.exceptionThrown" => found.push(format!("thrown: {}", params["exceptionDetails"])),
                "Log.entryAdded" => {
                    found.push(format!("log: {} {}", params["entry"]["level"], params["entry"]["text"]))
                }
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str().unwrap_or_default();
                    if url != self.address && !url.starts_with("data:") {
                        found.push(format!("request: {url}"));
                    }
                }
                "Network.loadingFailed" => found.push(format!("not loaded: {}", params["errorText"])),
                _ => {}
            }
        }
        Ok(found)
    }
}

impl Drop for Tab<'_> {
    fn drop(&mut self) {
        let _ = self.browser.ask(None, "Target.closeTarget", json!({ "targetId": self.target }));
        let _ = self.browser.ask(
            None,
            "Target.disposeBrowserContext",
            json!({ "browserContextId": self.context }),
        );
        let session = std::mem::take(&mut self.session);
        self.browser.events.retain(|it| it["sessionId"] != session.as_str());
    }
}
