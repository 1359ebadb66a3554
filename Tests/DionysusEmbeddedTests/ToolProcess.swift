import Foundation
import Synchronization

/// A process of `EmbeddedLogTool`, whose output is read line by line.
final class ToolProcess {
    private let process = Process()
    private var lines: AsyncStream<String>.AsyncIterator

    init(_ arguments: String...) throws {
        let output = Pipe()
        let (stream, continuation) = AsyncStream<String>.makeStream()
        lines = stream.makeAsyncIterator()
        process.executableURL = Self.directory.appendingPathComponent("EmbeddedLogTool")
        process.arguments = arguments
        process.standardOutput = output
        let splitter = LineSplitter()
        output.fileHandleForReading.readabilityHandler = { handle in
            let data = handle.availableData
            for line in splitter.split(data) { continuation.yield(line) }
            if data.isEmpty {
                handle.readabilityHandler = nil
                continuation.finish()
            }
        }
        try process.run()
    }

    deinit { if process.isRunning { signal(SIGKILL) } }

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

    func signal(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Kills the process with a signal that it can not handle, and waits until it is gone.
    func killAndWait() async {
        signal(SIGKILL)
        while await lines.next() != nil {}
        process.waitUntilExit()
    }

    var identifier: Int32 { process.processIdentifier }

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
