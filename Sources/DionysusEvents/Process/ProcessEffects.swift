public import Dionysus

public import struct Foundation.UUID

/// What a process manager wants to happen.
public struct ProcessEffects: Sendable {
    enum Effect: Sendable {
        case append([any Event], StreamName, ExpectedPosition)
        case perform(String, @Sendable (UUID, inout Transaction) throws -> Void)
        case schedule(String, Timestamp, JSON)
        case cancel(String)
        case stop
    }

    private(set) var list: [Effect] = []

    package init() {}

    /// Appends events to a stream.
    /// - Parameters:
    ///   - events: The events.
    ///   - stream: The stream.
    ///   - expected: Where the stream is. Anywhere by default.
    public mutating func append(
        _ events: any Event...,
        to stream: StreamName,
        expecting expected: ExpectedPosition = .any
    ) {
        list.append(.append(events, stream, expected))
    }

    /// Executes a command on another stream.
    /// - Parameters:
    ///   - command: The command.
    ///   - id: The id of the stream in its category.
    ///   - repository: The repository of the stream.
    public mutating func execute<Rules: Decider>(
        _ command: Rules.Command,
        on id: String,
        _ repository: Repository<Rules>
    ) {
        perform("\(command) on \(repository.stream(id))") { commandID, transaction in
            try repository.execute(command, on: id, commandID: commandID, in: &transaction)
        }
    }

    /// Does something else in the transaction, such as inserting a row whose capture sends a message.
    /// - Parameters:
    ///   - description: What is done, for tests.
    ///   - body: Called with an id that is always the same for the same cause. It must have no effects outside the
    ///     transaction.
    public mutating func perform(
        _ description: String,
        _ body: @escaping @Sendable (UUID, inout Transaction) throws -> Void
    ) {
        list.append(.perform(description, body))
    }

    /// Sets a timer; one of the same name is set anew.
    /// - Parameters:
    ///   - name: What it is for.
    ///   - time: When it is due.
    ///   - data: What it is given.
    public mutating func schedule(_ name: String, at time: Timestamp, _ data: JSON = .null) {
        list.append(.schedule(name, time, data))
    }

    /// Cancels a timer, if it is set.
    public mutating func cancel(_ name: String) { list.append(.cancel(name)) }

    /// Ends the process: its timers are cancelled, and later events don't concern it.
    public mutating func stop() { list.append(.stop) }
}

extension ProcessEffects.Effect {
    /// The effect as a test shows it.
    var description: String {
        switch self {
        case .append(let events, let stream, _):
            "append to \(stream): " + events.map { EventText.text(of: $0) }.joined(separator: ", ")
        case .perform(let description, _): description
        case .schedule(let name, let time, let data):
            "timer \(name) at \(time)" + (data == .null ? "" : " \(data.text)")
        case .cancel(let name): "cancel timer \(name)"
        case .stop: "stop"
        }
    }
}

/// Events as tests show them.
enum EventText {
    static func text(of event: any Event) -> String {
        let data = try? JSONTreeEncoder().encode(event)
        return "\(type(of: event).eventName)\(data?.text ?? "")"
    }
}
