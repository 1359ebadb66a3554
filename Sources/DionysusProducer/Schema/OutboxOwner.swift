import Dionysus

/// The application to which an outbox belongs: its declaration alone says what the triggers are, and its relays drain it.
enum OutboxOwner {
    static let note = "application"

    /// What is wrong if the outbox that is found is another application's, and what to do.
    static func fault(_ registry: Registry, _ tables: OutboxTables, in transaction: inout Transaction) throws -> String?
    {
        guard let application = registry.application,
            try transaction.describe(table: tables.path("dionysus_meta")) != nil,
            let owner = try transaction.run("SELECT value FROM \(tables.meta) WHERE name = \(note)").first?.text(0),
            owner != application
        else { return nil }
        return
            "the outbox belongs to the application \(owner), and this is \(application): give each a schema of its own on "
            + "PostgreSQL, which stands first in its search path (?options=-csearch_path%3D\(application),public), or a file "
            + "of its own on SQLite; if the application was renamed, "
            + "UPDATE \(tables.path("dionysus_meta")) SET value = '\(application)' WHERE name = '\(note)'"
    }
}
