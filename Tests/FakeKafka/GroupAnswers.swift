import NIOCore

/// Answers about a group, which has one member in addition to the scripted ones.
extension Script {
    private static let member = "member"
    private static let inconsistentProtocol: Int16 = 23

    func findCoordinator(_ answer: inout ByteBuffer) {
        let error = error(.findCoordinator)
        answer.put(error)
        answer.put(error == 0 ? Int32(1) : -1)
        guard error != 0 else { return putAddress(&answer) }
        answer.put("")
        answer.put(Int32(-1))
    }

    mutating func joinGroup(_ version: Int16, _ request: inout ByteBuffer, _ answer: inout ByteBuffer) {
        _ = request.text()
        let _: Int32 = request.number()
        if version >= 1 { let _: Int32 = request.number() }
        _ = request.text()
        let instance = version >= 5 ? request.text() : nil
        _ = request.text()
        let offered = request.list { (name: $0.text() ?? "", metadata: $0.blob() ?? []) } ?? []
        joins.append((offered.map(\.name), instance))
        let chosen = offered.first { groupProtocols.isEmpty || groupProtocols.contains($0.name) }
        let error = error(.joinGroup) != 0 ? error(.joinGroup) : chosen == nil ? Self.inconsistentProtocol : 0
        if error == 0 { generation += 1 }
        if version >= 2 { answer.put(Int32(0)) }
        answer.put(error)
        answer.put(generation)
        answer.put(error == 0 ? chosen?.name ?? "" : "")
        answer.put(error == 0 ? Self.member : "")
        answer.put(error == 0 ? Self.member : "")
        answer.put(error == 0 ? chosen.map { [$0] } ?? [] : []) { answer, chosen in
            answer.put(Self.member)
            if version >= 5 { answer.put(instance) }
            answer.put(chosen.metadata)
        }
    }

    func syncGroup(_ version: Int16, _ request: inout ByteBuffer, _ answer: inout ByteBuffer) {
        _ = request.text()
        let _: Int32 = request.number()
        _ = request.text()
        if version >= 3 { _ = request.text() }
        let assignments = request.list { (member: $0.text() ?? "", bytes: $0.blob() ?? []) } ?? []
        if version >= 1 { answer.put(Int32(0)) }
        answer.put(error(.syncGroup))
        answer.put(error(.syncGroup) == 0 ? assignments.first?.bytes ?? [] : [])
    }

    func heartbeat(_ kind: Request, _ version: Int16, _ answer: inout ByteBuffer) {
        if version >= 1 { answer.put(Int32(0)) }
        answer.put(error(kind))
    }

    func offsetFetch(_ request: inout ByteBuffer, _ answer: inout ByteBuffer) {
        _ = request.text()
        put(byTopic(&request) { $0.number(Int32.self) }, &answer) { answer, topic, partition in
            answer.put(partition)
            answer.put(committed[topic]?[partition] ?? -1)
            answer.put("")
            answer.put(error(.offsetFetch))
        }
    }

    mutating func offsetCommit(_ request: inout ByteBuffer, _ answer: inout ByteBuffer) {
        _ = request.text()
        let _: Int32 = request.number()
        _ = request.text()
        let _: Int64 = request.number()
        let offsets = byTopic(&request) { request in
            let position = (partition: request.number(Int32.self), offset: request.number(Int64.self))
            _ = request.text()
            return position
        }
        let error = error(.offsetCommit)
        put(offsets, &answer) { answer, topic, position in
            if error == 0 { committed[topic, default: [:]][position.partition] = position.offset }
            answer.put(position.partition)
            answer.put(error)
        }
    }
}
