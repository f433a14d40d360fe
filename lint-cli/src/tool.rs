//! Other programs of the user: git, helm, kubectl.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};
use std::thread;

use crate::error::Error;

/// Runs a program with this input, and returns what it prints.
///
/// # Errors
/// It isn't there, or it fails.
pub(crate) fn run(command: &mut Command, input: &[u8]) -> Result<Vec<u8>, Error> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = command.spawn().and_then(|mut child| {
        let stdin = child.stdin.take();
        thread::scope(|scope| {
            // What prints before it has read all would wait for us. Why a program
            // doesn't read to the end, it says itself.
            scope.spawn(|| stdin.map(|mut stdin| stdin.write_all(input)));
            child.wait_with_output()
        })
    });
    let program = command.get_program().to_string_lossy().into_owned();
    let told = match output {
        Ok(output) if output.status.success() => return Ok(output.stdout),
        Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(Error::NoTool { tool: program });
        }
        Err(error) => error.to_string(),
    };
    let arguments = command.get_args().map(|argument| argument.to_string_lossy().into_owned());
    let command = std::iter::once(program).chain(arguments).collect::<Vec<_>>().join(" ");
    Err(Error::Tool { command, told })
}
