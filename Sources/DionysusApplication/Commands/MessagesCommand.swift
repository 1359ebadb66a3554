import ArgumentParser
import Dionysus
package import DionysusConsumer
import ServiceLifecycle

import class Foundation.FileHandle

struct MessagesCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "messages",
            abstract: "Shows the messages of a topic, decoded.",
            discussion: """
                It leaves the consumer's group, its offsets and its partitions alone. It stops at the end that the \
                topic had when it started or, with --follow, on SIGTERM or Ctrl-C, and then prints how far it has read \
                in each partition. Messages of different partitions come in no particular order.

                Data of a schema registry is shown as JSON if DIONYSUS_SCHEMA_REGISTRY_URL is set. Bytes in another format \
                are shown with the reason, as text if they are UTF-8.

                JSON: an object with messages, a list of objects with topic, partition, offset, timestamp, key, \
                headers (a list of objects with name and value), tombstone, events (a list of objects with event, \
                model_name and data; null if the value isn't the wire format), problem (the reason, or null) and raw \
                (the value then, or null), record (the value, if it is data of a registry's schema), with looked, a list of objects with topic, partition, from, to, end and \
                messages, and with shown.
                """
        )
    }

    @Argument(help: "The full name of the topic: v3_rentals.") var topic: String
    @Option(help: "Only messages with this key: Rental:42.") var key: String?
    @Option(help: "Only this partition.") var partition: Int32?
    @Option(
        help: ArgumentHelp(
            "The start: earliest, latest, an offset, an ISO 8601 time, or latest-N for the last N of each partition.",
            valueName: "place"
        )
    )
    var from: ReadingStart = .place(.earliest)
    @Option(help: "Maximum number of messages to show.") var limit: Int?
    @Flag(help: "Keep printing new messages.") var follow = false
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        if let limit, limit < 1 { throw ValidationError("--limit must be at least 1") }
        if let partition, partition < 0 { throw ValidationError("--partition must be at least 0") }
    }

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        let broker = try environment.broker()
        let reading = TopicReading(
            topic: topic,
            partition: partition,
            start: from,
            follows: follow,
            broker: broker,
            settings: environment.settings.consumer
        )
        do {
            try await environment.run(MessagePrinting(reading: reading, key: key, limit: limit, isJSON: json))
        } catch {
            await broker.close()
            throw error
        }
        await broker.close()
    }
}

/// Prints messages as they are read, and finally how far it has read.
private struct MessagePrinting: Service {
    let reading: TopicReading
    let key: String?
    let limit: Int?
    let isJSON: Bool

    func run() async throws {
        var shown = 0
        var isBegun = false
        let spans = try await reading.run { messages in
            let wanted = messages.filter { message in key.map { message.keyText == $0 } ?? true }
            let taken = wanted.prefix(limit.map { $0 - shown } ?? wanted.count)
            if isJSON {
                if !isBegun { write("{\"messages\":[") }
                isBegun = true
                for (index, message) in taken.enumerated() {
                    write((shown + index == 0 ? "\n" : ",\n") + message.json.text.printable())
                }
            } else {
                for message in taken { write(message.report + "\n") }
            }
            shown += taken.count
            return limit.map { shown < $0 } ?? true
        }
        if isJSON {
            let looked = JSON.array(spans.map(\.json)).text.printable()
            write("\(isBegun ? "" : "{\"messages\":[")\n],\"looked\":\(looked),\"shown\":\(shown)}\n")
        } else {
            let table = tableText(
                ["PARTITION", "FROM", "TO", "END", "MESSAGES"],
                spans.map { ["\($0.partition.partition)", "\($0.first)", "\($0.next)", "\($0.end)", "\($0.count)"] }
            )
            write("\(shown) messages shown; read from \(reading.topic.printable()):\n\(table)\n")
        }
    }

    /// Flushes after each message, so that the reader of a pipe sees it immediately.
    private func write(_ text: String) {
        FileHandle.standardOutput.write(Array(text.utf8).withUnsafeBufferPointer { .init(buffer: $0) })
    }
}

extension TopicReading.Span {
    fileprivate var json: JSON {
        .object([
            "topic": .string(partition.topic), "partition": .integer(Int64(partition.partition)),
            "from": .integer(first), "to": .integer(next), "end": .integer(end), "messages": .integer(Int64(count)),
        ])
    }
}

extension ReadMessage {
    /// The message on a few lines of text.
    fileprivate var report: String {
        var lines = [
            "\(message.source) offset \(message.offset) at \(message.timestamp.description) key \(keyText ?? "-")"
                .printable()
        ]
        if let record, message.events.isEmpty {
            lines += message.headerLines + ["  record \(record.text)".printable()]
        } else {
            lines += message.report
        }
        return lines.joined(separator: "\n")
    }

    /// The message as JSON.
    var json: JSON {
        var object = message.json
        object["key"] = keyText.map(JSON.string) ?? .null
        object["record"] = record ?? .null
        guard record != nil else { return .object(object) }
        object["problem"] = .null
        object["raw"] = .null
        return .object(object)
    }
}

extension TopicMessage {
    fileprivate var headerLines: [String] {
        headers.map { "  \($0.name): \(String(decoding: $0.value, as: UTF8.self))".printable() }
    }

    /// What the message holds, on a few lines of text.
    fileprivate var report: [String] {
        var lines = headerLines
        switch content {
        case .tombstone: lines.append("  tombstone")
        case .events(let events):
            if events.isEmpty { lines.append("  no event") }
            for event in events {
                lines.append("  \(event.name) \(event.model) \(JSON.array(event.data).text)".printable())
            }
        case .other(let reason):
            lines.append("  not the wire format: \(reason); \(value?.count ?? 0) bytes: \(raw.text)".printable())
        }
        return lines
    }

    fileprivate var json: JSON.Object {
        var object: JSON.Object = [
            "topic": .string(source.topic), "partition": .integer(Int64(source.partition)),
            "offset": .integer(offset), "timestamp": .string(timestamp.description),
            "key": keyText.map(JSON.string) ?? .null,
            "headers": .array(
                headers.map { header in
                    let value = String(decoding: header.value, as: UTF8.self)
                    return .object(["name": .string(header.name), "value": .string(value)])
                }
            ),
            "tombstone": .bool(content == .tombstone), "events": .null, "problem": .null, "raw": .null,
        ]
        switch content {
        case .tombstone: break
        case .events(let events): object["events"] = .array(events.map(\.json))
        case .other(let reason):
            object["problem"] = .string(reason)
            object["raw"] = raw
        }
        return object
    }

    /// The value as text; if it isn't text, an object with its bytes in hexadecimal.
    private var raw: JSON {
        let bytes = value ?? []
        if let text = String(validating: bytes, as: UTF8.self) { return .string(text) }
        return .object(["hex": .string(bytes.hexadecimal)])
    }
}

extension TopicMessage.Event {
    fileprivate var json: JSON {
        .object(["event": .string(name), "model_name": .string(model), "data": .array(data)])
    }
}

extension ReadingStart: ExpressibleByArgument {
    package init?(argument: String) { self.init(argument) }

    package var defaultValueDescription: String { description }
}
