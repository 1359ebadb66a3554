import ArgumentParser
import Dionysus
import DionysusConsumer
import DionysusProducer
import ServiceLifecycle

struct ComparePayloadsCommand<App: DionysusApplication>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: "compare-payloads",
            abstract: "Compares another producer's latest messages in a topic with what would be published now.",
            discussion: """
                For a topic that dionysus-rb writes, before this application takes it over. It compares the newest \
                message of each record among the last messages with its preview: event, key, partition, members and \
                their order, and values including digits. It skips messages of this library, which have a header \
                dionysus-event-id, and records that no longer exist or have changed since according to updated_at. \
                Nothing is written or sent.

                Exits with 1 if anything differs, or if there was nothing to compare. A difference in many records is \
                shown once, with their number and one of them. JSON: an object with topic, compared, equal, different, \
                changed_since, gone, unknown, own, and differences (a list of objects with key, path, theirs and ours, \
                which are null if the member is missing).
                """
        )
    }

    @Argument(help: "The full name of the topic: v3_rentals.") var topic: String
    @Option(help: "Number of offsets to read from the end of each partition.") var last: Int = 100
    @Option(help: "Only records of this model.") var model: String?
    @Flag(help: "Print the report as JSON.") var json = false

    func validate() throws {
        if last < 1 { throw ValidationError("--last must be at least 1") }
    }

    func run() async throws {
        let environment = try ApplicationEnvironment<App>()
        try environment.settings.require([.source, .broker])
        let registry = environment.registry
        let models = registry.dependencies[topic].map { Set($0.keys) } ?? []
        guard !models.isEmpty else {
            printError("Error: topic \(topic) is not declared; `topics` shows the declared ones")
            throw ExitCode.validationFailure
        }
        if let model, !models.contains(model) {
            printError(
                "Error: topic \(topic) does not publish a model \(model); its models are \(models.sorted().joined(separator: ", "))"
            )
            throw ExitCode.validationFailure
        }
        let (source, broker) = (try environment.source(), try environment.broker())
        let comparing = TopicComparison(
            topic: topic,
            models: models,
            model: model,
            registry: registry,
            source: source,
            broker: broker,
            settings: environment.settings
        )
        let report: TopicComparison.Report
        do {
            report = try await comparing.run(last: last)
        } catch {
            await broker.close()
            await source.close()
            throw error
        }
        await broker.close()
        await source.close()
        print(json ? report.json(topic).text : report.text(topic))
        if report.isEmpty {
            printError(
                "Error: no message of another producer could be compared in the last \(last) offsets of each partition"
            )
        }
        if report.isEmpty || !report.differences.isEmpty { throw ExitCode.failure }
    }
}

/// Compares another producer's messages in a topic with what would be published for their records.
private struct TopicComparison: Sendable {
    /// The results.
    struct Report: Sendable {
        struct Entry: Sendable {
            let key: String
            let model: String
            let difference: PayloadComparison.Difference
        }

        var equal = 0
        var different = 0
        /// Records that have changed since.
        var changed = 0
        /// Records that no longer exist.
        var gone = 0
        /// Events of models that the topic doesn't declare.
        var unknown = 0
        /// Messages of this library.
        var own = 0
        var differences: [Entry] = []

        var isEmpty: Bool { equal + different == 0 }
    }

    /// A record's newest payload.
    private struct Found {
        let message: TopicMessage
        let event: TopicMessage.Event
        let payload: JSON
        /// Whether the message contains only this record, so that its key is the record's.
        let isAlone: Bool

        /// Whether the message destroys a record that is visible now because it was restored later.
        func isEndOfVisible(_ ours: String) -> Bool {
            EventName(event.name)?.change == .destroyed && EventName(ours)?.change != .destroyed
        }
    }

    let topic: String
    let models: Set<String>
    let model: String?
    let registry: Registry
    let source: any CapturingDatabase
    let broker: any MessageBroker
    let settings: ApplicationSettings

    func run(last: Int) async throws -> Report {
        var report = Report()
        var found: [String: Found] = [:]
        var order: [String] = []
        let reading = TopicReading(
            topic: topic,
            partition: nil,
            start: .last(Int64(last)),
            follows: false,
            broker: broker,
            settings: settings.consumer
        )
        _ = try await reading.run { messages in
            for read in messages { take(read.message, &found, &order, &report) }
            return true
        }
        let partitions = try await broker.describeTopics([topic]).first?.partitions ?? 1
        for key in order {
            guard let theirs = found[key] else { continue }
            try await compare(key, theirs, partitions, &report)
        }
        return report
    }

    private func take(
        _ message: TopicMessage,
        _ found: inout [String: Found],
        _ order: inout [String],
        _ report: inout Report
    ) {
        guard message[header: HeaderName.eventID] == nil else {
            report.own += 1
            return
        }
        for event in message.events {
            guard models.contains(event.model) else {
                report.unknown += 1
                continue
            }
            if let model, event.model != model { continue }
            for payload in event.data {
                guard let id = payload["id"]?.keyText else { continue }
                let key = "\(event.model):\(id)"
                let isAlone = message.events.count == 1 && event.data.count == 1
                let earlier = found[key]
                if earlier == nil { order.append(key) }
                // Partitions are read concurrently: if a record has messages in two, the later one counts.
                if let earlier, earlier.message.source != message.source, earlier.message.timestamp > message.timestamp
                {
                    continue
                }
                found[key] = Found(message: message, event: event, payload: payload, isAlone: isAlone)
            }
        }
    }

    private func compare(_ key: String, _ theirs: Found, _ partitions: Int32, _ report: inout Report) async throws {
        let id = String(key.dropFirst(theirs.event.model.count + 1))
        let preview: MessagePreview?
        do {
            preview = try await MessagePreview.of(
                theirs.event.model,
                id: id,
                in: topic,
                registry,
                database: source,
                settings: settings.producer
            )
        } catch let error as DionysusError where error.code == .malformed {
            preview = nil
        }
        guard let preview, let value = try? JSON(parsing: preview.value), let ours = value.firstEvent else {
            report.gone += 1
            return
        }
        let comparison = PayloadComparison(of: theirs.payload, with: ours.payload)
        guard !comparison.hasChanged, !theirs.isEndOfVisible(ours.name) else {
            report.changed += 1
            return
        }
        var differences = comparison.differences
        // A creation is previewed as an update, which it would be now.
        let (left, right) = (EventName(theirs.event.name), EventName(ours.name))
        if left?.singular != right?.singular || (left?.change == .destroyed) != (right?.change == .destroyed) {
            differences.append(.init(path: "(event)", theirs: theirs.event.name, ours: ours.name))
        }
        if theirs.isAlone {
            let sent = theirs.message.keyText ?? ""
            if sent != preview.key { differences.append(.init(path: "(key)", theirs: sent, ours: preview.key)) }
            let partition = settings.producer.partitioner
                .partition(of: Array((preview.partitionKey ?? preview.key).utf8), partitions: partitions)
            if partition != theirs.message.source.partition {
                let place = "\(partition), by \(preview.partitionKey ?? preview.key)"
                differences.append(
                    .init(path: "(partition)", theirs: "\(theirs.message.source.partition)", ours: place)
                )
            }
        }
        if differences.isEmpty { report.equal += 1 } else { report.different += 1 }
        report.differences += differences.map { Report.Entry(key: key, model: theirs.event.model, difference: $0) }
    }
}

extension TopicComparison.Report {
    fileprivate func text(_ topic: String) -> String {
        var lines = [
            "\(topic): \(equal + different) records compared: \(equal) equal, \(different) different; left out: "
                + "\(changed) changed since, \(gone) gone, \(unknown) events of other models, \(own) messages of this library"
        ]
        guard !differences.isEmpty else { return lines[0] }
        var groups: [String: (first: Entry, count: Int)] = [:]
        var order: [String] = []
        for entry in differences {
            let name = "\(entry.model) \(entry.difference.path.withoutNumbers)"
            if groups[name] == nil { order.append(name) }
            groups[name] = (groups[name]?.first ?? entry, (groups[name]?.count ?? 0) + 1)
        }
        let rows = order.compactMap { groups[$0] }
            .map { group in
                let difference = group.first.difference
                return [
                    "\(group.count)", group.first.key, difference.path, difference.theirs ?? "-",
                    difference.ours ?? "-",
                ]
            }
        lines.append(tableText(["RECORDS", "FOR EXAMPLE", "MEMBER", "THEIRS", "OURS"], rows))
        return lines.joined(separator: "\n")
    }

    fileprivate func json(_ topic: String) -> JSON {
        func count(_ value: Int) -> JSON { .integer(Int64(value)) }
        return .object([
            "topic": .string(topic), "compared": count(equal + different), "equal": count(equal),
            "different": count(different), "changed_since": count(changed), "gone": count(gone),
            "unknown": count(unknown), "own": count(own),
            "differences": .array(
                differences.map { entry in
                    .object([
                        "key": .string(entry.key), "path": .string(entry.difference.path),
                        "theirs": JSON(entry.difference.theirs), "ours": JSON(entry.difference.ours),
                    ])
                }
            ),
        ])
    }
}

extension String {
    /// A path without list indexes, so that the same member of many parts is reported once.
    fileprivate var withoutNumbers: String { replacing(/\[[0-9]+\]/, with: "[]") }
}

extension JSON {
    /// A primary key in a payload as text.
    fileprivate var keyText: String? {
        switch self {
        case .string(let text): text
        case .integer(let value): String(value)
        case .number(let text): text
        case .null, .bool, .array, .object: nil
        }
    }

    /// The first event of a message's value, and its first payload.
    fileprivate var firstEvent: (name: String, payload: JSON)? {
        guard case .array(let events)? = self["message"], let event = events.first,
            case .string(let name)? = event["event"], case .array(let data)? = event["data"], let payload = data.first
        else { return nil }
        return (name, payload)
    }
}
