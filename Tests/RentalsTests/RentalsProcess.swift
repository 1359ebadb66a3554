import Foundation
import Synchronization

/// A process of the example application, or of another program, whose output is kept.
final class RunningProcess: Sendable {
    /// How a process ended, and what it wrote.
    struct Result: Sendable {
        let status: Int32
        let output: String
        let errors: String
    }

    private let process: Mutex<Process>
    private let ending: Task<Result, Never>
    let identifier: Int32

    /// Starts an executable.
    init(_ executable: URL, _ arguments: [String], environment: [String: String], input: String? = nil) throws {
        let process = Process()
        let (output, errors) = (Pipe(), Pipe())
        process.executableURL = executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardOutput = output
        process.standardError = errors
        let standardInput = Pipe()
        process.standardInput = standardInput
        let (ended, continuation) = AsyncStream<Int32>.makeStream()
        process.terminationHandler = { process in
            continuation.yield(process.terminationStatus)
            continuation.finish()
        }
        try process.run()
        identifier = process.processIdentifier
        if let input { try standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8)) }
        try standardInput.fileHandleForWriting.close()
        self.process = Mutex(process)
        let (outputHandle, errorsHandle) = (output.fileHandleForReading, errors.fileHandleForReading)
        ending = Task {
            async let outputData = Self.readToEnd(outputHandle)
            async let errorsData = Self.readToEnd(errorsHandle)
            let (written, complained) = await (outputData, errorsData)
            var status: Int32 = -1
            for await value in ended { status = value }
            return Result(status: status, output: written, errors: complained)
        }
    }

    private static func readToEnd(_ handle: FileHandle) async -> String {
        await withCheckedContinuation { continuation in
            let collected = Mutex(Data())
            handle.readabilityHandler = { handle in
                let data = handle.availableData
                if data.isEmpty {
                    handle.readabilityHandler = nil
                    continuation.resume(returning: collected.withLock { String(decoding: $0, as: UTF8.self) })
                } else {
                    collected.withLock { $0.append(data) }
                }
            }
        }
    }

    /// Waits until it has ended.
    func result() async -> Result { await ending.value }

    /// Sends a signal.
    func signal(_ signal: Int32) { kill(identifier, signal) }

    /// Kills it with a signal that it can't handle.
    func killAndWait() async {
        signal(SIGKILL)
        _ = await result()
    }

    /// Asks it to end, and waits until it has.
    func terminate() async -> Result {
        signal(SIGTERM)
        return await result()
    }
}
