import Dispatch
package import Foundation
import Synchronization

/// A child process.
///
/// Its streams are files, because a pipe stays open if another process inherits its end; for the same reason it doesn't
/// use Foundation's `Process`.
package final class RunningProcess: Sendable {
    /// A process's exit status and output.
    package struct Result: Sendable {
        package let status: Int32
        package let output: String
        package let errors: String
    }

    package let identifier: pid_t
    private let directory: URL
    private let ending: Task<Int32, Never>
    private let hasEnded: Mutex<Bool>

    /// Starts a program, which is looked up in the path if its name has no slash.
    package init(_ program: String, _ arguments: [String], environment: [String: String], input: String = "") throws {
        directory = URL(filePath: NSTemporaryDirectory()).appending(path: "process-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try Data(input.utf8).write(to: directory.appending(path: "input"))
        let identifier = try Self.spawn(
            program,
            arguments,
            ProcessInfo.processInfo.environment.merging(environment) { $1 },
            directory.path
        )
        self.identifier = identifier
        hasEnded = Mutex(false)
        ending = Task {
            await withCheckedContinuation { continuation in
                DispatchQueue(label: "process.\(identifier)")
                    .async {
                        var status: Int32 = 0
                        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
                        // The exit code, or the signal in a shell's form.
                        let signal = status & 0x7f
                        continuation.resume(returning: signal == 0 ? (status >> 8) & 0xff : 128 + signal)
                    }
            }
        }
    }

    /// A failing test leaves no process behind.
    deinit {
        if !hasEnded.withLock({ $0 }) { kill(identifier, SIGKILL) }
        try? FileManager.default.removeItem(at: directory)
    }

    /// Waits until it has exited.
    package func result() async -> Result {
        let status = await ending.value
        hasEnded.withLock { $0 = true }
        return Result(status: status, output: text("output"), errors: text("errors"))
    }

    /// Its standard output so far.
    package var output: String { text("output") }

    /// What it has written so far to its standard error.
    package var errors: String { text("errors") }

    /// Whether it is running; a zombie counts as exited.
    package var isRunning: Bool { kill(identifier, 0) == 0 }

    /// Sends a signal.
    package func signal(_ signal: Int32) { kill(identifier, signal) }

    /// Kills it with a signal that it can't handle.
    package func killAndWait() async {
        signal(SIGKILL)
        _ = await result()
    }

    /// Sends SIGTERM, and waits until it has exited.
    /// - Parameter limit: The time after which it is killed; nil for no limit.
    package func terminate(within limit: Duration? = nil) async -> Result {
        signal(SIGTERM)
        let killing = limit.map { limit in
            Task { [identifier] in if (try? await Task.sleep(for: limit)) != nil { kill(identifier, SIGKILL) } }
        }
        defer { killing?.cancel() }
        return await result()
    }

    private func text(_ name: String) -> String {
        (try? String(contentsOf: directory.appending(path: name), encoding: .utf8)) ?? ""
    }

    private static func spawn(
        _ program: String,
        _ arguments: [String],
        _ environment: [String: String],
        _ directory: String
    ) throws -> pid_t {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        var attributes: posix_spawnattr_t?
        #else
        var actions = posix_spawn_file_actions_t()
        var attributes = posix_spawnattr_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "\(directory)/input", O_RDONLY, 0)
        let create = O_WRONLY | O_CREAT | O_TRUNC
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "\(directory)/output", create, 0o600)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "\(directory)/errors", create, 0o600)
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The child inherits no open files, not even those that are being opened: a socket that a child also holds
        // would stay open.
        #if canImport(Darwin)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_CLOEXEC_DEFAULT))
        #else
        for descriptor in (STDERR_FILENO + 1)..<min(getdtablesize(), 4_096) {
            posix_spawn_file_actions_addclose(&actions, descriptor)
        }
        #endif
        var vector = ([program] + arguments).map { strdup($0) } + [nil]
        var variables = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for text in vector + variables { free(text) } }
        var identifier: pid_t = 0
        let code = posix_spawnp(&identifier, program, &actions, &attributes, &vector, &variables)
        guard code == 0 else { throw POSIXError(.init(rawValue: code) ?? .EIO) }
        return identifier
    }
}
