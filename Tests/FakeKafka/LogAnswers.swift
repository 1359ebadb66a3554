import NIOCore

/// Answers about the content of partitions.
extension Script {
    private static let offsetOutOfRange: Int16 = 1
    private static let unknownTopic: Int16 = 3

    private func fault(_ kind: Request, _ topic: String, _ partition: Int32) -> Int16 {
        if let error = errors[kind] ?? topicErrors[topic] { return error }
        return topics[topic]?.indices.contains(Int(partition)) == true ? 0 : Self.unknownTopic
    }

    func listOffsets(_ version: Int16, _ request: inout ByteBuffer, _ answer: inout ByteBuffer) {
        let _: Int32 = request.number()
        let isCommittedOnly = version >= 2 && request.number(Int8.self) == 1
        let asked = byTopic(&request) { request in
            (partition: request.number(Int32.self), time: request.number(Int64.self))
        }
        if version >= 2 { answer.put(Int32(0)) }
        put(asked, &answer) { answer, topic, question in
            let fault = fault(.listOffsets, topic, question.partition)
            answer.put(question.partition)
            answer.put(fault)
            answer.put(Int64(-1))
            guard fault == 0, let log = topics[topic]?[Int(question.partition)] else { return answer.put(Int64(-1)) }
            answer.put(question.time == -2 ? log.first : isCommittedOnly ? log.lastStable : log.next)
        }
    }

    func initProducerID(_ answer: inout ByteBuffer) {
        answer.put(Int32(0))
        answer.put(error(.initProducerID))
        answer.put(Int64(error(.initProducerID) == 0 ? 1_000 + (counts[.initProducerID] ?? 0) : -1))
        answer.put(Int16(0))
    }

    /// - Returns: Whether the client expects an answer.
    mutating func produce(_ request: inout ByteBuffer, _ answer: inout ByteBuffer) -> Bool {
        _ = request.text()
        let acks: Int16 = request.number()
        let _: Int32 = request.number()
        let sent = byTopic(&request) { (partition: $0.number(Int32.self), bytes: $0.blob() ?? []) }
        put(sent, &answer) { answer, topic, part in
            let fault = fault(.produce, topic, part.partition)
            var offset: Int64 = -1
            if fault == 0, let batch = RecordBatch(part.bytes) {
                offset = append(batch, to: topic, Int(part.partition))
            }
            answer.put(part.partition)
            answer.put(fault)
            answer.put(offset)
            answer.put(Int64(-1))
        }
        answer.put(Int32(0))
        return acks != 0
    }

    /// - Returns: Whether the answer contains messages or errors.
    func fetch(_ request: inout ByteBuffer, _ answer: inout ByteBuffer) -> Bool {
        for _ in 0..<4 { let _: Int32 = request.number() }
        let isCommittedOnly = request.number(Int8.self) == 1
        let asked = byTopic(&request) { request in
            let question = (partition: request.number(Int32.self), offset: request.number(Int64.self))
            let _: Int32 = request.number()
            return question
        }
        var isFilled = false
        answer.put(Int32(0))
        put(asked, &answer) { answer, topic, question in
            var fault = fault(.fetch, topic, question.partition)
            let log = fault == 0 ? topics[topic]?[Int(question.partition)] ?? PartitionLog() : PartitionLog()
            if fault == 0, !(log.first...log.next ~= question.offset) { fault = Self.offsetOutOfRange }
            let bytes = fault == 0 ? log.bytes(from: question.offset) : []
            isFilled = isFilled || fault != 0 || !bytes.isEmpty
            answer.put(question.partition)
            answer.put(fault)
            answer.put(log.next)
            answer.put(log.lastStable)
            answer.put(isCommittedOnly ? log.aborted : []) { answer, transaction in
                answer.put(transaction.producer)
                answer.put(transaction.first)
            }
            answer.put(bytes)
        }
        return isFilled
    }
}

/// Lists of partitions, by topic.
func byTopic<T>(_ request: inout ByteBuffer, _ part: (inout ByteBuffer) -> T) -> [(topic: String, parts: [T])] {
    request.list { (topic: $0.text() ?? "", parts: $0.list(part) ?? []) } ?? []
}

func put<T>(
    _ topics: [(topic: String, parts: [T])],
    _ answer: inout ByteBuffer,
    _ part: (inout ByteBuffer, String, T) -> Void
) {
    answer.put(topics) { answer, topic in
        answer.put(topic.topic)
        answer.put(topic.parts) { part(&$0, topic.topic, $1) }
    }
}
