//! What is backed up and watched: what recipes say of it becomes one file an owner, `/etc/paquerette/backup.d/<owner>.yml`
//! and `monitor.d/<owner>.yml`, and the machine's strategies. Only root reads them: one instance's people have no business with
//! what another's consists of.
//!
//! Always true here: what is written was read as the tools of backup and monitoring read it, so that a recipe's mistake is
//! an error with its place; the same parts in another order make the same file.

use pq_items::{BackupItem, BackupStrategy, Id, MonitorItem, MonitorStrategy};
use pq_recipes::{Component, Data, Mark, Node, Phase, Source};
use pq_stream::Diagnostic;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::draft::{Draft, Draught};
use crate::render::Renderer;
use crate::scope::Scope;

const ETC: &str = "/etc/paquerette";

const ITEM: &str =
    "# Written by paquerette. An item of your own belongs in a file of another name beside this one.\n";
const STRATEGY: &str = "# Written by paquerette: set what stands here in the inventory.\n";

/// Both items of one owner while they are put together.
pub(crate) struct Items {
    backup: BackupItem,
    monitor: MonitorItem,
}

/// The blocks of a recipe.
pub(crate) struct Blocks<'r> {
    /// Its file.
    pub source: &'r Source,
    /// `backup`.
    pub backup: Option<&'r Node>,
    /// `monitor`.
    pub monitor: Option<&'r Node>,
}

impl<'r> Blocks<'r> {
    /// Those of a component.
    pub fn of(component: &'r Component) -> Self {
        Blocks {
            source: &component.source,
            backup: component.backup.as_ref(),
            monitor: component.monitor.as_ref(),
        }
    }
}

impl Items {
    /// Items of an owner of whom nothing is known yet.
    ///
    /// # Errors
    /// Where its name is none of an item.
    pub fn of(owner: &str) -> Result<Self, Diagnostic> {
        let id = Id::new(owner).map_err(Diagnostic::new)?;
        Ok(Items { backup: BackupItem::new(id.clone()), monitor: MonitorItem::new(id) })
    }

    /// Takes in what a recipe says.
    ///
    /// # Errors
    /// Where that cannot be rendered, or is no part of an item.
    pub fn add(
        &mut self,
        renderer: Renderer<'_>,
        blocks: &Blocks<'_>,
        scope: &Scope,
    ) -> Result<(), Diagnostic> {
        let source = blocks.source;
        if let Some(block) = blocks.backup
            && let Some(part) = self.part(renderer, source, block, scope)?
        {
            self.backup.add(part);
        }
        if let Some(block) = blocks.monitor
            && let Some(part) = self.part(renderer, source, block, scope)?
        {
            let twice = |cause| Diagnostic::new(cause).at(source.place(block.mark));
            self.monitor.add(part).map_err(twice)?;
        }
        Ok(())
    }

    /// Takes in what the planner itself knows: the fields of an item but its owner.
    ///
    /// # Errors
    /// Where that is no part of an item.
    pub fn know(&mut self, backup: Value, monitor: Value) -> Result<(), Diagnostic> {
        let error = |error: serde_json::Error| {
            Diagnostic::new(format!("`{}` cannot be backed up or watched", self.backup.owner))
                .cause(error.to_string())
        };
        let owned = |mut fields: Value| {
            fields["owner"] = self.backup.owner.as_str().into();
            fields
        };
        let instance: BackupItem = serde_json::from_value(owned(backup)).map_err(error)?;
        let watched: MonitorItem = serde_json::from_value(owned(monitor)).map_err(error)?;
        self.backup.instance = instance.instance.clone();
        self.backup.add(instance);
        self.monitor.add(watched).map_err(Diagnostic::new)
    }

    /// A block, rendered and read; nothing where its condition does not hold.
    fn part<T: DeserializeOwned>(
        &self,
        renderer: Renderer<'_>,
        source: &Source,
        block: &Node,
        scope: &Scope,
    ) -> Result<Option<T>, Diagnostic> {
        let Some(mut rendered) = renderer.block(source, block, scope)? else { return Ok(None) };
        if let Data::Map(entries) = &mut rendered.data {
            let owner = Data::Scalar(self.backup.owner.as_str().into());
            entries.push(("owner".to_owned(), Node { mark: block.mark, data: owner }));
        }
        rendered.read(source).map(Some)
    }

    /// Writes their files, below the owner of these steps; what says nothing has none. Those of hardening are its part.
    ///
    /// # Errors
    /// Where one cannot be written.
    pub fn write(&self, draft: &mut Draft<'_>, steps: &str, hardening: bool) -> Result<(), Diagnostic> {
        self.write_backup(draft, steps, hardening)?;
        self.write_monitor(draft, steps, hardening)
    }

    /// Writes the file of what is backed up.
    ///
    /// # Errors
    /// As [`Items::write`].
    pub fn write_backup(
        &self,
        draft: &mut Draft<'_>,
        steps: &str,
        hardening: bool,
    ) -> Result<(), Diagnostic> {
        match self.backup.is_empty() {
            true => Ok(()),
            false => self.file(draft, (steps, hardening), ("backup", "what is backed up"), &self.backup),
        }
    }

    /// Writes the file of what is watched.
    ///
    /// # Errors
    /// As [`Items::write`].
    pub fn write_monitor(
        &self,
        draft: &mut Draft<'_>,
        steps: &str,
        hardening: bool,
    ) -> Result<(), Diagnostic> {
        match self.watches() {
            true => self.file(draft, (steps, hardening), ("monitor", "what is watched"), &self.monitor),
            false => Ok(()),
        }
    }

    /// Whether anything is watched.
    pub fn watches(&self) -> bool {
        !self.monitor.checks.is_empty()
    }

    fn file<T: Serialize>(
        &self,
        draft: &mut Draft<'_>,
        (steps, hardening): (&str, bool),
        (kind, about): (&str, &str),
        item: &T,
    ) -> Result<(), Diagnostic> {
        let directory = format!("{ETC}/{kind}.d");
        let title = format!("directory {directory}");
        // whoever needs it first writes it: it is the same for all
        draft.step(
            &format!("platform/items-{kind}"),
            title,
            "directory",
            json!({ "path": directory, "mode": "0700" }),
        )?;
        let owner = &self.backup.owner;
        let fields = json!({
            "path": format!("{directory}/{owner}.yml"),
            "content": format!("{ITEM}{}", pq_items::write(item)?),
            "mode": "0600",
        });
        let name = if hardening { "hardening-item" } else { "item" };
        draft.push(
            Draught {
                id: format!("{steps}/{kind}-{name}"),
                title: format!("{about} of {owner}"),
                kind: "file".to_owned(),
                phase: Phase::InOrder,
                hardening,
                fields: fields.as_object().cloned().unwrap_or_default(),
            },
            None,
        )
    }
}

/// Writes how the machine is backed up and watched, where a part of the server says so.
///
/// # Errors
/// Where its blocks cannot be rendered, or are no strategies.
pub(crate) fn strategies(
    draft: &mut Draft<'_>,
    component: &Component,
    scope: &Scope,
) -> Result<(), Diagnostic> {
    let source = &component.source;
    if let Some(block) = &component.backup_strategy {
        strategy::<BackupStrategy>(draft, source, block, scope, ("backup", "how the machine is backed up"))?;
    }
    if let Some(block) = &component.monitor_strategy {
        strategy::<MonitorStrategy>(draft, source, block, scope, ("monitor", "how the machine is watched"))?;
    }
    Ok(())
}

fn strategy<T: DeserializeOwned + Serialize>(
    draft: &mut Draft<'_>,
    source: &Source,
    block: &Node,
    scope: &Scope,
    (name, about): (&str, &str),
) -> Result<(), Diagnostic> {
    let Some(rendered) = draft.renderer.block(source, block, scope)? else { return Ok(()) };
    let read: T = rendered.read(source)?;
    let fields = json!({
        "path": format!("{ETC}/{name}.yml"),
        "content": format!("{STRATEGY}{}", pq_items::write(&read)?),
        "mode": "0600",
    });
    draft.step(&format!("server/{name}-strategy"), about, "file", fields)
}

impl Renderer<'_> {
    /// A block with its texts rendered, and with the places of what it is made of. What comes to nothing is left out, and so is
    /// a mapping whose `when` does not hold; a mapping of a list with `each` stands there once for each `item`.
    ///
    /// # Errors
    /// Where a text cannot be rendered.
    pub fn block(&self, source: &Source, node: &Node, scope: &Scope) -> Result<Option<Node>, Diagnostic> {
        let data = match &node.data {
            Data::Scalar(_) => return Ok(placed(node.mark, self.node(source, node, scope)?)),
            Data::List(items) => {
                let mut list = Vec::new();
                for item in items {
                    let Some(each) = item.get("each") else {
                        list.extend(self.block(source, item, scope)?);
                        continue;
                    };
                    let Value::Array(values) = self.node(source, each, scope)? else {
                        return Err(Diagnostic::new("`each` must be a list").at(source.place(each.mark)));
                    };
                    for value in values {
                        list.extend(self.block(source, item, &scope.with("item", value))?);
                    }
                }
                Data::List(list)
            }
            Data::Map(entries) => {
                if let Some(when) = node.get("when")
                    && !self.holds(source, when, scope)?
                {
                    return Ok(None);
                }
                let mut map = Vec::new();
                for (key, value) in entries.iter().filter(|(key, _)| key != "when" && key != "each") {
                    map.extend(self.block(source, value, scope)?.map(|value| (key.clone(), value)));
                }
                Data::Map(map)
            }
        };
        Ok(Some(Node { mark: node.mark, data }))
    }
}

/// A value as a part of a recipe, all of it where its text stood; nothing where it is nothing.
fn placed(mark: Mark, value: Value) -> Option<Node> {
    let data = match value {
        Value::Null => return None,
        Value::Array(items) => Data::List(items.into_iter().filter_map(|item| placed(mark, item)).collect()),
        Value::Object(map) => {
            Data::Map(map.into_iter().filter_map(|(key, value)| Some((key, placed(mark, value)?))).collect())
        }
        scalar => Data::Scalar(scalar),
    };
    Some(Node { mark, data })
}
