import Foundation
import Synchronization

/// A process of `EmbeddedLogTool`, whose output is read line by line.
///
/// It is spawned without Foundation's `Process`, which now and then keeps the writing end of the pipe open on Linux when
/// several tests launch processes at once, so that the output never ends.
final class ToolProcess {
    let identifier: pid_t
    private var lines: AsyncStream<String>.AsyncIterator
    private let output: FileHandle
    private var hasEnded = false

    init(_ arguments: String...) throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw POSIXError(.init(rawValue: errno) ?? .EIO) }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        defer { close(ends[1]) }
        output = FileHandle(fileDescriptor: ends[0], closeOnDealloc: true)
        identifier = try Self.spawn(
            Self.directory.appendingPathComponent("EmbeddedLogTool").path,
            arguments,
            output: ends[1]
        )
        let (stream, continuation) = AsyncStream<String>.makeStream()
        lines = stream.makeAsyncIterator()
        let splitter = LineSplitter()
        output.readabilityHandler = { handle in
            let data = handle.availableData
            for line in splitter.split(data) { continuation.yield(line) }
            if data.isEmpty {
                handle.readabilityHandler = nil
                continuation.finish()
            }
        }
    }

    deinit { end() }

    /// The next line that begins with a word; nil when the process has ended before.
    func line(_ word: String) async -> String? {
        while let line = await lines.next() {
            if line.hasPrefix(word + " ") { return line }
        }
        return nil
    }

    /// The numbers in the next line that begins with a word.
    func numbers(_ word: String) async -> [Int]? {
        await line(word)?.split(separator: " ").dropFirst().compactMap { Int($0) }
    }

    func signal(_ signal: Int32) { kill(identifier, signal) }

    /// Kills the process with a signal that it can't handle, and waits until it is gone.
    func end() {
        guard !hasEnded else { return }
        hasEnded = true
        output.readabilityHandler = nil
        signal(SIGKILL)
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
    }

    private static func spawn(_ path: String, _ arguments: [String], output: Int32) throws -> pid_t {
        #if canImport(Darwin)
        var actions: posix_spawn_file_actions_t?
        #else
        var actions = posix_spawn_file_actions_t()
        #endif
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        var vector = ([path] + arguments).map { strdup($0) } + [nil]
        defer { for argument in vector { free(argument) } }
        var identifier: pid_t = 0
        let code = posix_spawn(&identifier, path, &actions, nil, &vector, environ)
        guard code == 0 else { throw POSIXError(.init(rawValue: code) ?? .EIO) }
        return identifier
    }

    /// Where the package's executables are: beside the tests.
    private static var directory: URL {
        let tests = Bundle.allBundles.first { $0.bundlePath.hasSuffix(".xctest") }
        return tests?.bundleURL.deletingLastPathComponent() ?? Bundle.main.bundleURL
    }
}

/// Cuts the output of one pipe into lines.
private final class LineSplitter: Sendable {
    private let rest = Mutex(Data())

    func split(_ data: Data) -> [String] {
        rest.withLock { rest in
            rest.append(data)
            var lines: [String] = []
            while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
                lines.append(String(decoding: rest[..<end], as: UTF8.self))
                rest = Data(rest[(end + 1)...])
            }
            return lines
        }
    }
}
