import Dionysus

/// A payload under the names it has here, with the records that came along in it.
///
/// It is an object, because all stages pass it on.
final class RecordPayload: Sendable {
    /// What a payload says about soft deletion.
    enum Cancellation: Sendable, Hashable {
        /// Nothing.
        case unmentioned
        /// The record isn't soft-deleted.
        case none
        /// The record is soft-deleted.
        case canceled
    }

    /// What a record's payload is in its message.
    struct Origin: Sendable {
        /// The record's number among all records of the message's events, counted from zero.
        let number: Int
        /// The payload as it is on the wire.
        let payload: JSON.Object
    }

    let shape: RecordShape
    /// A value for each of the shape's names.
    let values: [JSON]
    let sideloads: [Sideload]
    let createdAt: Timestamp?
    let updatedAt: Timestamp?
    /// How finely the payload tells the time of its record apart from others, in microseconds.
    let timeUnit: Int64
    /// Nil for a record that came along in another's payload.
    let origin: Origin?

    init(
        shape: RecordShape,
        values: [JSON],
        sideloads: [Sideload],
        createdAt: Timestamp?,
        updatedAt: Timestamp?,
        timeUnit: Int64,
        origin: Origin?
    ) {
        self.shape = shape
        self.values = values
        self.sideloads = sideloads
        self.createdAt = createdAt
        self.updatedAt = updatedAt
        self.timeUnit = timeUnit
        self.origin = origin
    }

    /// The record's id at the source.
    var id: JSON? {
        guard let index = shape.id, values[index] != .null else { return nil }
        return values[index]
    }

    /// When the record was in this state, at the latest.
    var time: Timestamp? { updatedAt ?? createdAt }

    var cancellation: Cancellation {
        guard let index = shape.canceledAt else { return .unmentioned }
        return values[index] == .null ? .none : .canceled
    }

    /// The payload under the names it has here.
    var data: JSON.Object {
        JSON.Object(zip(shape.names, values).map { JSON.Object.Member($0, $1) })
    }

    /// Whether the records came along that the links to them list.
    var carriesWhatItLists: Bool { sideloads.allSatisfy { $0.records.count >= $0.ids.count } }

    /// ``data`` with the records that came along.
    var wholeData: JSON.Object {
        var whole = data
        for sideload in sideloads {
            let records = sideload.records.map { JSON.object($0.wholeData) }
            whole[sideload.name] = sideload.isToMany ? .array(records) : records.first ?? .null
        }
        return whole
    }

    /// ``data`` as JSON, written without making the object.
    var text: String {
        let size = values.reduce(512) { size, value in
            if case .string(let text) = value { size + text.utf8.count } else { size }
        }
        var writer = JSONWriter(capacity: size)
        writer.literal("{")
        for index in values.indices {
            if index > 0 { writer.literal(",") }
            writer.append(shape.encodedNames[index])
            writer.write(values[index])
        }
        writer.literal("}")
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

/// A relationship whose records came along in a payload.
struct Sideload: Sendable {
    /// The relationship's name on the wire.
    let name: String
    /// The model of its records.
    let model: String
    /// Whether the link is a list.
    var isToMany = false
    /// The ids that the payload lists.
    let ids: [JSON]
    let records: [RecordPayload]
}
