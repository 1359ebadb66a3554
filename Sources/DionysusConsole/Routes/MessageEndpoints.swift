import Dionysus
import DionysusConsumer

extension Endpoint {
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
    ]

    private static func query(_ call: Call) throws -> MessageReport.Query {
        let text = call.query["from"] ?? "latest-50"
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
        // Others can be named too, but nobody should read what the application has nothing to do with.
        guard
            call.system.topics.contains(topic)
                || call.system.consumer?.outline.topics.contains(where: \.isPattern) == true
        else {
            throw DionysusError(.unknownTopic, "the application declares no topic \(topic)")
        }
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
            limit: try call.limit()
        )
    }
}
