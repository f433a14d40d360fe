//! `headlint review`

use std::sync::Arc;

use headlint_policies::finding::InputError;
use headlint_policies::inventory::Change;
use headlint_policies::manifest::{Source, load};
use headlint_policies::model::project;
use headlint_webhook::review::review;
use ignore::gitignore::Gitignore;

use crate::args::ReviewArgs;
use crate::error::Error;
use crate::input::{self, Input};
use crate::report::json;
use crate::{Exit, Terminal, delivered};

/// Prints the AdmissionReview that answers.
pub(crate) fn run(args: &ReviewArgs, terminal: &mut Terminal) -> Result<Exit, Error> {
    let file = match args.file.as_os_str() == "-" {
        true => Input::Stdin,
        false => Input::File(args.file.clone()),
    };
    let request = input::read(&file).map_err(Error::Input)?;
    let mut context = Vec::new();
    for input in input::collect(&args.context, &Gitignore::empty()) {
        let source = input::read(&input).map(Arc::new);
        let objects = source.and_then(|source| objects(&source, &args.namespace));
        context.extend(objects.map_err(Error::Input)?);
    }
    let context = (!args.context.is_empty()).then_some(context);
    let (config, policies) = (args.config.as_deref(), args.policy_dir.as_deref());
    let answer = review(request.text.as_bytes().to_vec(), context, config, policies)
        .map_err(|source| Error::Review { path: args.file.clone(), source })?;
    delivered(terminal.stdout.write_str(&json::render(&answer)))?;
    let allowed = answer["response"]["allowed"] == true;
    Ok(if allowed { Exit::Clean } else { Exit::Findings })
}

/// All objects of a text; none may be missing in what is told to be all there is.
fn objects(source: &Arc<Source>, namespace: &str) -> Result<Vec<Change>, InputError> {
    let loaded = load(Arc::clone(source));
    if let Some(error) = loaded.errors.into_iter().next() {
        return Err(error);
    }
    let projected = loaded.manifests.iter().map(|manifest| {
        let projected = project(&manifest.root, namespace);
        let projected = projected.map_err(|error| error.in_source(source, &manifest.root))?;
        Ok(Change::Put(Arc::new(projected)))
    });
    projected.collect()
}
