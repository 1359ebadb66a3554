import Dionysus

/// Events whose payloads have been turned into values of columns.
struct BoundBatch: Sendable {
    /// The replicas that are touched.
    var layouts: [Layout] = []
    /// The ids of each replica's touched records.
    var ids: [[DatabaseValue]] = []
    var events: [BoundEvent] = []
    /// The events that closures of the application take, after the others have been written.
    var delegated: [DelegatedEvent] = []
    /// What is written after that, in the same transaction.
    var following: [BoundBatch] = []
    /// How many further events are of models that are not kept.
    var withoutReplica = 0
    /// How many records are of models that their topic may not write.
    var refused = 0

    /// What is written one after the other.
    var parts: [BoundBatch] { [self] + following }
}

/// An event of one record.
///
/// It is an object, because a batch of them passes through several hands.
final class BoundEvent: Sendable {
    /// Its place among all events of the batch.
    let order: Int
    let message: ConsumedMessage
    let name: EventName
    let payload: RecordPayload
    let record: BoundRecord

    init(order: Int, message: ConsumedMessage, name: EventName, payload: RecordPayload, record: BoundRecord) {
        self.order = order
        self.message = message
        self.name = name
        self.payload = payload
        self.record = record
    }
}

/// An event of a record, with the records that came along.
struct BoundRecord: Sendable {
    /// The number of its replica in the batch.
    let table: Int
    /// The number of the record among the replica's touched records.
    let number: Int
    let event: RecordEvent
    let sideloads: [BoundSideload]
}

/// A relationship whose records came along.
struct BoundSideload: Sendable {
    let records: [BoundRecord]
    let resolution: Resolution?
    var customResolution: CustomResolution?
    /// The records whose model a closure of the application takes.
    var delegated: [DelegatedEvent] = []
    /// Whether it is about the members that a record leaves behind when it is destroyed, and nothing came along.
    var endsWithParent = false
}

/// What is to become of a relationship's members.
enum Resolution: Sendable {
    /// Members of a replica that have `parent` in their foreign key, and are not listed, are removed.
    case replace(table: Int, foreignKey: Int, parent: DatabaseValue, members: Set<DatabaseValue>)
    /// A join table holds what is listed.
    case join(JoinedMembers)
}

/// The members of a relationship that goes through a join table.
struct JoinedMembers: Sendable {
    let joinTable: String
    let parentColumn: ReplicaColumn
    let memberColumn: ReplicaColumn
    let parent: DatabaseValue
    let members: [DatabaseValue]
}
