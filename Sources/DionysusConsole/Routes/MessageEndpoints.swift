import Dionysus
import DionysusConsumer

extension Endpoint {
    private static let place: [Parameter] = [
        .text("topic", "the topic's full name", required: true), .integer("partition", "the message's partition"),
        .integer("offset", "the message's offset"),
    ]

    static let messages: [Endpoint] = [
        page("/messages", "Messages of a topic") { call in
            guard call.query["topic"] != nil else { return .page(.messages(nil, call.frame, call)) }
            let query = try query(call)
            let report = await Part.reading { try await MessageReport.read(query, call.core) }
            return .page(.messages(report, call.frame, call))
        },
        read(
            "/messages",
            "Messages of a topic, decoded; a search looks at 20,000 at most, and says how far it looked",
            query: [
                .text("topic", "the topic's full name", required: true), .integer("partition", "one partition"),
                .text("from", "earliest, latest, an offset, a time, or latest-N; latest-50 by default"),
                .text("key", "only messages with this key"), .text("header", "only those with a header: name=text"),
                .text("value", "only those with a member: path.to.member=value"), .limit,
            ],
            answer: [
                ("messages", "those that match"), ("looked_at", "how many were looked at"),
                ("more", "whether there are others"), ("partitions", "how far was looked in each"),
            ]
        ) { call in .json(try await MessageReport.read(try query(call), call.core).json(call.core.mask)) },
        page("/messages/tail", "The newest messages of a topic, as they come", isLive: true) { call in
            let query = try query(call, from: "latest-50")
            let name = call.query.encoded
            let found = await Part.reading { try await MessageReport.tail(query, call.core, named: name) }
            return .page(.tail(found, query.topic, call.frame, call))
        },
        page("/messages/download", "Messages of a topic as a file, a line of JSON each") { call in
            let query = try query(call, limit: 1000)
            let report = try await MessageReport.read(query, call.core)
            let lines = report.messages.map { $0.json(call.core.mask).text + "\n" }.joined()
            let name = query.topic.filter { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) }
            return .download(name: "\(name).ndjson", type: "application/x-ndjson", Array(lines.utf8))
        },
        form("/messages/republish", "Publishes a message once more") { call in
            let (partition, offset) = try place(call)
            guard call.body.isOn("confirm") else {
                let fields = ["topic", "partition", "offset"].compactMap { name in call.body[name].map { (name, $0) } }
                let back = Link.messages(partition.topic, partition: partition.partition, offset: offset)
                return .page(
                    .confirm(
                        "Publish the message at \(partition) offset \(offset) once more?",
                        "It is sent to its partition again as it is, with its key and headers. Every consumer of the topic gets it; those that know a newer version of the record change nothing.",
                        "/messages/republish",
                        "Publish it again",
                        fields,
                        back: back,
                        tab: .messages,
                        call.frame,
                        call
                    )
                )
            }
            return call.page(of: try await republish(call))
        },
        change("/messages/republish", "Publishes a message once more, to its partition", body: place) { call in
            .json((try await republish(call)).json, .accepted)
        },
    ]

    private static func place(_ call: Call) throws -> (TopicPartition, Int64) {
        let topic = try call.body.required("topic")
        try requireDeclared(topic, call)
        guard let partition = try call.body.integer("partition", in: 0...Int64(Int32.max)),
            let offset = try call.body.integer("offset")
        else { throw DionysusError(.malformed, "partition or offset is missing") }
        return (TopicPartition(topic, Int32(partition)), offset)
    }

    private static func republish(_ call: Call) async throws -> ActionProgress {
        let (partition, offset) = try place(call)
        let plan = MessageActions.republish(partition, offset, call.system, try call.broker())
        return try await call.start(plan, in: call.core.sourceAudit ?? call.core.replicaAudit)
    }

    /// Others can be named too, but nobody should read or write what the application has nothing to do with.
    private static func requireDeclared(_ topic: String, _ call: Call) throws {
        guard
            call.system.topics.contains(topic)
                || call.system.consumer?.outline.topics.contains(where: \.isPattern) == true
        else {
            throw DionysusError(.unknownTopic, "the application declares no topic \(topic)")
        }
    }

    /// - Parameters:
    ///   - from: Where to begin, whatever the query says.
    ///   - limit: How many at most, unless the query says it.
    private static func query(
        _ call: Call,
        from: String? = nil,
        limit: Int = 100
    ) throws -> MessageReport.Query {
        let text = from ?? call.query["from"] ?? "latest-50"
        guard let start = ReadingStart(text) else {
            throw DionysusError(
                .malformed,
                "from must be earliest, latest, an offset, a time such as 2026-01-31T12:00:00Z, or latest-N"
            )
        }
        func pair(_ name: String) throws -> (String, String)? {
            guard let text = call.query[name] else { return nil }
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            guard parts.count == 2 else { throw DionysusError(.malformed, "\(name) must be written as name=text") }
            return (parts[0], parts[1])
        }
        let topic = try call.query.required("topic")
        try requireDeclared(topic, call)
        let header: (name: String, value: String)? = try pair("header")
        let member: (path: [String], value: String)? = try pair("value")
            .map { ($0.0.split(separator: ".").map(String.init), $0.1) }
        let names: [String] = (member?.path ?? []) + (header.map { [$0.name] } ?? [])
        if let name = names.first(where: { call.core.mask.members.contains($0) }) {
            throw DionysusError(.malformed, "\(name) is masked, and nothing is looked for in it")
        }
        return MessageReport.Query(
            topic: topic,
            partition: try call.query.integer("partition", in: 0...Int64(Int32.max)).map { Int32($0) },
            start: start,
            key: call.query["key"],
            header: header,
            member: member,
            limit: try call.limit(limit)
        )
    }
}
