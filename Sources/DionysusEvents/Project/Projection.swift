public import Dionysus

/// A read model: tables that follow from events, and can be made from them again at any time.
///
///     struct AdBoard: Projection {
///         let name = "ad_board"
///         let tables = ["ad_board"]
///         func create(_ tables: ProjectionTables, in transaction: inout Transaction) throws { … }
///         func apply(_ events: [RecordedEvent], to tables: ProjectionTables, in transaction: inout Transaction) throws { … }
///     }
public protocol Projection: Sendable {
    /// Its name, under which its progress is kept.
    var name: String { get }
    /// The version of its tables and rules. 1 by default. A rebuild that began with another version begins anew.
    var version: Int { get }
    /// The categories of the streams that it follows. All by default.
    var categories: Set<String> { get }
    /// The tables that belong to it alone.
    var tables: [String] { get }

    /// Creates the empty tables, under the names that they have at the moment.
    ///
    /// Name indexes after the tables, because those of two versions exist side by side.
    func create(_ tables: ProjectionTables, in transaction: inout Transaction) throws

    /// Changes the tables by events, each of which it gets once, in the order of their streams.
    /// - Parameters:
    ///   - events: The events.
    ///   - tables: The names that the tables have at the moment.
    ///   - transaction: The transaction, in which the events are noted as applied.
    func apply(_ events: [RecordedEvent], to tables: ProjectionTables, in transaction: inout Transaction) throws
}

extension Projection {
    public var version: Int { 1 }
    public var categories: Set<String> { [] }
}

/// The names that a projection's tables have at the moment.
public struct ProjectionTables: Sendable {
    let suffix: String

    /// The tables that are read.
    static let live = ProjectionTables(suffix: "")

    /// The tables of a generation that is not, or not any more, read.
    static func aside(_ generation: Int64) -> ProjectionTables { ProjectionTables(suffix: "_g\(generation)") }

    /// The name that a table has at the moment.
    /// - Parameter table: Its declared name.
    public subscript(table: String) -> String { table + suffix }
}
