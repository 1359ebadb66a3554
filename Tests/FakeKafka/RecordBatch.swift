import NIOCore

/// Records in a partition's log, in Kafka's record format 2.
public struct RecordBatch: Sendable {
    /// How a transaction ends.
    public enum Ending: Int16, Sendable, CaseIterable {
        case abort = 0
        case commit = 1
    }

    /// The number of offsets it uses.
    let count: Int64
    /// The transactional producer; nil for records outside of transactions.
    let producer: Int64?
    let ending: Ending?
    private let bytes: [UInt8]

    /// Parses a batch sent by a producer.
    init?(_ bytes: [UInt8]) {
        guard bytes.count >= 61, bytes[16] == 2 else { return nil }
        let last = bytes[23..<27].reduce(Int64(0)) { $0 << 8 | Int64($1) }
        self.init(count: last + 1, producer: nil, ending: nil, bytes: bytes)
    }

    private init(count: Int64, producer: Int64?, ending: Ending?, bytes: [UInt8]) {
        (self.count, self.producer, self.ending, self.bytes) = (count, producer, ending, bytes)
    }

    /// Records without headers.
    /// - Parameters:
    ///   - producer: The transactional producer, if they belong to a transaction.
    ///   - milliseconds: Their time, since 1970.
    public static func records(
        _ records: [(key: String?, value: String?)],
        producer: Int64? = nil,
        milliseconds: Int64 = 0
    ) -> RecordBatch {
        let records = records.map { (key: $0.key.map { Array($0.utf8) }, value: $0.value.map { Array($0.utf8) }) }
        let attributes: Int16 = producer == nil ? 0 : 0x10
        return RecordBatch(
            count: Int64(records.count),
            producer: producer,
            ending: nil,
            bytes: encode(records, attributes, producer, milliseconds)
        )
    }

    /// The control record that ends a transaction: it uses an offset, but clients never receive it.
    public static func end(_ ending: Ending, producer: Int64, milliseconds: Int64 = 0) -> RecordBatch {
        let key: [UInt8] = [0, 0, 0, UInt8(ending.rawValue)]
        let value = [UInt8](repeating: 0, count: 6)
        return RecordBatch(
            count: 1,
            producer: producer,
            ending: ending,
            bytes: encode([(key, value)], 0x30, producer, milliseconds)
        )
    }

    /// The bytes of the batch at an offset.
    func bytes(at offset: Int64) -> [UInt8] {
        withUnsafeBytes(of: offset.bigEndian, Array.init) + bytes.dropFirst(8)
    }

    private static func encode(
        _ records: [(key: [UInt8]?, value: [UInt8]?)],
        _ attributes: Int16,
        _ producer: Int64?,
        _ milliseconds: Int64
    ) -> [UInt8] {
        var body = ByteBuffer()
        body.put(attributes)
        body.put(Int32(records.count - 1))
        body.put(milliseconds)
        body.put(milliseconds)
        body.put(producer ?? -1)
        body.put(Int16(producer == nil ? -1 : 0))
        body.put(Int32(-1))
        body.put(Int32(records.count))
        for (index, record) in records.enumerated() {
            var bytes = ByteBuffer()
            bytes.put(UInt8(0))
            bytes.putVariable(0)
            bytes.putVariable(index)
            for part in [record.key, record.value] {
                bytes.putVariable(part?.count ?? -1)
                bytes.writeBytes(part ?? [])
            }
            bytes.putVariable(0)
            body.putVariable(bytes.readableBytes)
            body.writeBuffer(&bytes)
        }
        var batch = ByteBuffer()
        batch.put(Int64(0))
        batch.put(Int32(body.readableBytes + 9))
        batch.put(Int32(0))
        batch.put(UInt8(2))
        // The checksum, which clients ignore unless `check.crcs` is set.
        batch.put(UInt32(0))
        batch.writeBuffer(&body)
        return Array(buffer: batch)
    }
}

/// The content of a partition.
struct PartitionLog: Sendable {
    private var batches: [(first: Int64, batch: RecordBatch)] = []
    var first: Int64 = 0
    private(set) var next: Int64 = 0

    /// - Returns: The offset of the batch's first record.
    @discardableResult
    mutating func append(_ batch: RecordBatch) -> Int64 {
        defer { next += batch.count }
        batches.append((next, batch))
        return next
    }

    func bytes(from offset: Int64) -> [UInt8] {
        batches.filter { $0.first + $0.batch.count > offset }.flatMap { $0.batch.bytes(at: $0.first) }
    }

    /// The producers of aborted transactions, with their first offsets.
    var aborted: [(producer: Int64, first: Int64)] {
        var open: [Int64: Int64] = [:]
        var aborted: [(producer: Int64, first: Int64)] = []
        for (first, batch) in batches {
            guard let producer = batch.producer else { continue }
            if let ending = batch.ending {
                if ending == .abort, let begin = open[producer] { aborted.append((producer, begin)) }
                open[producer] = nil
            } else {
                open[producer] = open[producer] ?? first
            }
        }
        return aborted
    }

    /// The first offset of an open transaction, otherwise the next offset.
    var lastStable: Int64 {
        var open: [Int64: Int64] = [:]
        for (first, batch) in batches {
            guard let producer = batch.producer else { continue }
            open[producer] = batch.ending == nil ? open[producer] ?? first : nil
        }
        return open.values.min() ?? next
    }
}
