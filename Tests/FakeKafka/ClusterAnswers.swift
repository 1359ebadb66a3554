import NIOCore

/// Answers about the broker, authentication, and topics.
extension Script {
    private static let unknownTopic: Int16 = 3
    private static let topicExists: Int16 = 36
    private static let unsupportedMechanism: Int16 = 33
    private static let authenticationFailed: Int16 = 58

    func apiVersions(_ version: Int16, _ answer: inout ByteBuffer) {
        answer.put(error(.apiVersions))
        guard version >= 3 else {
            return answer.put(Request.allCases) { answer, kind in
                answer.put(kind.rawValue)
                answer.put(Int16(0))
                answer.put(kind.lastVersion)
            }
        }
        // The only request that always uses the flexible format.
        answer.put(UInt8(Request.allCases.count + 1))
        for kind in Request.allCases {
            answer.put(kind.rawValue)
            answer.put(Int16(0))
            answer.put(kind.lastVersion)
            answer.put(UInt8(0))
        }
        answer.put(Int32(0))
        answer.put(UInt8(0))
    }

    func handshake(_ request: inout ByteBuffer, _ session: inout Session, _ answer: inout ByteBuffer) {
        session.mechanism = request.text()
        let isKnown = session.mechanism.map(mechanisms.contains) == true
        answer.put(isKnown ? error(.saslHandshake) : Self.unsupportedMechanism)
        answer.put(mechanisms) { $0.put($1) }
    }

    func authenticate(_ request: inout ByteBuffer, _ session: inout Session, _ answer: inout ByteBuffer) {
        let parts = (request.blob() ?? []).split(separator: 0, omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        session.isAuthenticated =
            error(.saslAuthenticate) == 0 && parts.count == 3 && parts[1] == credentials?.user
            && parts[2] == credentials?.password
        answer.put(session.isAuthenticated ? Int16(0) : Self.authenticationFailed)
        answer.put(session.isAuthenticated ? nil : "Authentication failed: Invalid username or password")
        answer.put([UInt8]())
    }

    mutating func metadata(_ version: Int16, _ request: inout ByteBuffer, _ answer: inout ByteBuffer) {
        let asked = request.list { $0.text() ?? "" }
        let isForAll = asked == nil || version == 0 && asked?.isEmpty == true
        if createsTopicsWhenAsked, !isForAll {
            for name in asked ?? [] where topics[name] == nil { createTopic(name, partitions: 4) }
        }
        let names = isForAll ? topics.keys.filter { hidden[$0] == nil }.sorted() : asked ?? []
        if version >= 3 { answer.put(Int32(0)) }
        answer.put(CollectionOfOne(Int32(1))) { answer, id in
            answer.put(id)
            putAddress(&answer)
            if version >= 1 { answer.put(String?.none) }
        }
        if version >= 2 { answer.put("fake") }
        if version >= 1 { answer.put(Int32(1)) }
        answer.put(names) { answer, name in
            let partitions = hidden[name] == nil && topicErrors[name] == nil ? topics[name] : nil
            answer.put(topicErrors[name] ?? (partitions == nil ? Self.unknownTopic : 0))
            answer.put(name)
            if version >= 1 { answer.put(UInt8(0)) }
            answer.put(0..<Int32(partitions?.count ?? 0)) { answer, partition in
                answer.put(Int16(0))
                answer.put(partition)
                answer.put(Int32(1))
                answer.put(1...replicas) { $0.put($1) }
                answer.put(1...inSync) { $0.put($1) }
            }
        }
        hidden = hidden.compactMapValues { $0 > 1 ? $0 - 1 : nil }
    }

    mutating func createTopics(_ version: Int16, _ request: inout ByteBuffer, _ answer: inout ByteBuffer) {
        let wanted = request.list { WantedTopic(&$0) } ?? []
        if version >= 2 { answer.put(Int32(0)) }
        var created: Set<String> = []
        for topic in wanted where topics[topic.name] == nil && error(.createTopics) == 0 {
            createTopic(topic.name, partitions: max(1, topic.partitions))
            for (name, value) in topic.settings { topicSettings[topic.name, default: [:]][name] = value }
            if metadataLag > 0 { hidden[topic.name] = metadataLag }
            created.insert(topic.name)
        }
        answer.put(wanted) { answer, topic in
            answer.put(topic.name)
            let isNew = created.remove(topic.name) != nil
            answer.put(error(.createTopics) != 0 ? error(.createTopics) : isNew ? 0 : Self.topicExists)
            if version >= 1 { answer.put(String?.none) }
        }
    }

    func describeConfigs(_ request: inout ByteBuffer, _ answer: inout ByteBuffer) {
        let names =
            request.list { (request: inout ByteBuffer) -> String in
                let _: Int8 = request.number()
                let name = request.text() ?? ""
                _ = request.list { $0.text() }
                return name
            } ?? []
        answer.put(Int32(0))
        answer.put(names) { answer, name in
            let isKnown = topics[name] != nil && hidden[name] == nil
            answer.put(error(.describeConfigs) != 0 ? error(.describeConfigs) : isKnown ? 0 : Self.unknownTopic)
            answer.put(String?.none)
            answer.put(Int8(2))
            answer.put(name)
            let settings = error(.describeConfigs) == 0 ? topicSettings[name] ?? [:] : [:]
            answer.put(settings.sorted { $0.key < $1.key }) { answer, setting in
                answer.put(setting.key)
                answer.put(setting.value)
                for _ in 0..<3 { answer.put(UInt8(0)) }
            }
        }
    }
}

/// A topic that a client wants to create.
private struct WantedTopic {
    let name: String
    let partitions: Int
    let settings: [(name: String, value: String)]

    init(_ request: inout ByteBuffer) {
        name = request.text() ?? ""
        partitions = Int(request.number(Int32.self))
        let _: Int16 = request.number()
        _ = request.list { request in
            let _: Int32 = request.number()
            _ = request.list { $0.number(Int32.self) }
        }
        settings = request.list { (name: $0.text() ?? "", value: $0.text() ?? "") } ?? []
    }
}
