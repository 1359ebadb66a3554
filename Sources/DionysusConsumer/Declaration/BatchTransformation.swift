import Dionysus

/// What happens to the messages of a batch before they are applied.
public struct BatchTransformation: Sendable {
    enum Kind: Sendable {
        case latestUpdates
        case latestOfKey
        case custom(@Sendable ([IncomingMessage]) throws -> [IncomingMessage])
    }

    let kind: Kind

    private init(_ kind: Kind) { self.kind = kind }

    /// A transformation that an application defines.
    ///
    ///     Topic("rentals").batchTransformation(
    ///         BatchTransformation { messages in messages.filter { !$0.events.isEmpty } }
    ///     )
    ///
    /// Messages that it leaves out are taken for done. It sees what the topic's filters accept, in the order of the
    /// partition. A batch is no fixed thing: delivered again, the same messages may come in other batches.
    /// - Parameter transform: Leaves messages out, changes their events, or puts them into another order. What it throws
    ///   is a failure of the messages, which are then tried in smaller batches and at last one by one.
    public init(_ transform: @escaping @Sendable ([IncomingMessage]) throws -> [IncomingMessage]) {
        kind = .custom(transform)
    }

    /// Of a record's consecutive updates, keeps only the newest, in the place of the last.
    ///
    /// Updates are consecutive when none of the record's other events stands between them. The newest is the one of
    /// the highest version where all have one, else of the latest time, else of the highest offset. Updates that
    /// don't carry the same attributes are all kept, since none of them stands for the others, and so are those that can't be
    /// compared: with and without a version, or with times of different numbers of digits.
    public static let latestUpdates = BatchTransformation(.latestUpdates)

    /// Of the messages with one key, keeps only the last.
    ///
    /// For messages that are whole, whichever fields they have: what an earlier one had and the last one lacks is not seen.
    /// Messages without a key are all kept.
    public static let latestOfKey = BatchTransformation(.latestOfKey)
}
