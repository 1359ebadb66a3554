/// A table whose inserted rows are messages: each becomes a stored message and a row of the outbox, in the same transaction.
package struct MessageTableCapture: Sendable, Hashable {
    /// The table's name.
    package var table: String
    /// The column with the message's id.
    package var id: String
    /// The column that names the topic.
    package var destination: String
    /// The column with the message's key; messages with one key keep their order.
    package var key: String
    /// The column with the message's value.
    package var payload: String
    /// What stands before the destination in the topic's name.
    package var topicPrefix: String
    /// What stands behind it; nil for a topic that is the prefix alone.
    package var topicSuffix: String?
    /// The header that has the id.
    package var idHeader: String
    /// Headers by the columns that they are taken from.
    package var headers: [String: String]
    /// What rows of the outbox have in the place of a model's name.
    package var resourceClass: String
    /// The event of rows of the outbox.
    package var eventName: String

    /// Creates a capture.
    /// - Parameters:
    ///   - table: The table's name.
    ///   - id: The column with the message's id.
    ///   - destination: The column that names the topic.
    ///   - key: The column with the message's key.
    ///   - payload: The column with the message's value.
    ///   - topicPrefix: What stands before the destination in the topic's name.
    ///   - topicSuffix: What stands behind it; nil for a topic that is the prefix alone.
    ///   - idHeader: The header that has the id.
    ///   - headers: Headers by the columns that they are taken from.
    ///   - resourceClass: What rows of the outbox have in the place of a model's name.
    ///   - eventName: The event of rows of the outbox.
    package init(
        table: String,
        id: String,
        destination: String,
        key: String,
        payload: String,
        topicPrefix: String,
        topicSuffix: String?,
        idHeader: String,
        headers: [String: String],
        resourceClass: String,
        eventName: String
    ) {
        self.table = table
        self.id = id
        self.destination = destination
        self.key = key
        self.payload = payload
        self.topicPrefix = topicPrefix
        self.topicSuffix = topicSuffix
        self.idHeader = idHeader
        self.headers = headers
        self.resourceClass = resourceClass
        self.eventName = eventName
    }

    /// The columns that it reads.
    package var columns: [String] { [id, destination, key, payload] + headers.keys.sorted() }

    /// The headers and their columns, in their order.
    package var orderedHeaders: [(name: String, column: String)] {
        [(idHeader, id)] + headers.sorted { $0.value < $1.value }.map { ($0.value, $0.key) }
    }

    /// What is wrong with the table, a line each.
    package func faults(_ description: TableDescription?) -> [String] {
        guard let description else {
            return ["there is no table \(table), whose rows are to be messages: create it, and run migrate"]
        }
        let missing = columns.filter { description.column($0) == nil }
        guard !missing.isEmpty else { return [] }
        return ["table \(table), whose rows are to be messages, lacks the columns \(missing.joined(separator: ", "))"]
    }
}
