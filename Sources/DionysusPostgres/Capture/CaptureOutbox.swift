import Dionysus

/// The operations that have a trigger each.
enum CaptureOperation: String, CaseIterable {
    case insert, update, delete, truncate

    var timing: String { self == .truncate ? "BEFORE" : "AFTER" }

    var transitionTables: String {
        switch self {
        case .insert: "REFERENCING NEW TABLE AS dionysus_new"
        case .update: "REFERENCING OLD TABLE AS dionysus_old NEW TABLE AS dionysus_new"
        case .delete: "REFERENCING OLD TABLE AS dionysus_old"
        case .truncate: ""
        }
    }

    /// `tgtype` of a trigger for each statement.
    var catalogueType: Int64 {
        switch self {
        case .insert: 4
        case .delete: 8
        case .update: 16
        case .truncate: 34
        }
    }
}

/// The names of rows of `dionysus_meta` that are about capture.
enum CaptureNotes {
    /// Before the number of a captured relation; the value is the name of the table.
    static let relation = "capture_relation:"
}

/// The outbox as trigger functions write to it.
struct CaptureOutbox {
    let schema: String
    /// The outbox's name without its schema.
    let baseName: String
    /// The name of its owner.
    let owner: String
    let columns: [ColumnDescription]
    /// The advisory lock that a waiting relay holds.
    let wakeUpLock: Int64
    /// The role whose members may suppress capture; nil for the outbox's owner.
    let suppressionRole: String?

    var name: String { qualified(quotedName(baseName)) }
    var notes: String { qualified("dionysus_meta") }
    var wakeUps: String { qualified("dionysus_wake_ups") }
    var messages: String { qualified("dionysus_messages") }
    var suppressions: String { qualified("dionysus_suppressions") }

    func qualified(_ table: String) -> String { "\(quotedName(schema)).\(table)" }

    /// Whether times have a zone: one without that goes into a column with one would be taken for the writer's.
    var hasZones: Bool { column("created_at")?.declaredType.contains("with time zone") == true }

    /// The type of the times that rows are written with, in words that name it under any search path.
    var timeType: String { hasZones ? "timestamp with time zone" : "timestamp without time zone" }

    var hasContext: Bool { column("traceparent") != nil && column("tracestate") != nil }

    /// The type of changesets; nil if the outbox has none.
    var changesetType: String? { column("changeset")?.declaredType }

    /// Whether the outbox has changesets: dionysus-rb's has, where its application observes anything.
    var hasChangeset: Bool { column("changeset") != nil }

    private func column(_ name: String) -> ColumnDescription? { columns.first { $0.name == name } }

    /// Whether a changeset needs no cast to a type that is looked up by its name.
    var storesPlainChangesets: Bool {
        column("changeset").map { $0.declaredType == "jsonb" && $0.isNullable } ?? true
    }

    /// The changeset as the outbox's column takes it: another program may have created the table.
    func stored(_ changeset: String) -> String {
        guard let column = column("changeset"), column.declaredType != "jsonb" || !column.isNullable else {
            return changeset
        }
        let value = column.isNullable ? changeset : "coalesce(\(changeset), '{}')"
        return "(\(value))::\(column.declaredType)"
    }

    /// A condition: the role that has logged in may suppress capture.
    ///
    /// A role that doesn't exist has no members.
    var maySuppress: String {
        let role =
            suppressionRole.map { role in
                "(SELECT r.oid FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) \(quotedLiteral(role)))"
            }
                ?? """
                (SELECT c.relowner FROM pg_catalog.pg_class c
                  WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(\(quotedLiteral(name)))::pg_catalog.oid)
                """
        return "coalesce(pg_catalog.pg_has_role(session_user, \(role), 'MEMBER'), false)"
    }

    var suppressionHint: String {
        "Members of role \(suppressionRole ?? owner) may. The setting captureSuppressionRole names another role."
    }
}
