import Dionysus

/// How a model is kept, as far as it is no code.
package struct ReplicaChoices: Sendable {
    package let model: String
    /// Its table; nil for one that isn't kept.
    package let table: String?
    /// Whether it is kept in the table of the convention, if there is one.
    package let isConventional: Bool
    package let renamings: [String: String]
    /// The foreign keys by which members of relationships are removed.
    package let replaced: [String: String]
    /// The join tables of relationships.
    package let joined: [String: (table: String, parent: String, member: String)]
    /// Whether rows of destroyed records are kept; nil as the settings say.
    package let softDeletes: Bool?
    package let readOnly: [String]
    /// The names of the columns that Dionysus fills; nil for those of the settings.
    package let columns: ReplicaColumnNames?
    /// What only code can say, a line each.
    package let unsaid: [String]

    package init(_ replica: ReplicaModel) {
        model = replica.remoteName
        table = replica.table
        isConventional = replica.isConventional
        renamings = replica.renamings
        var (replaced, joined) = ([String: String](), [String: (table: String, parent: String, member: String)]())
        for (relationship, policy) in replica.associations {
            switch policy {
            case .replace(let key): replaced[relationship] = key
            case .join(let table, let parent, let member): joined[relationship] = (table, parent, member)
            }
        }
        (self.replaced, self.joined) = (replaced, joined)
        softDeletes = replica.endsAsSettingsSay ? nil : replica.softDeletes
        readOnly = replica.readOnly.sorted()
        columns = replica.renamesColumns.map { rename in
            var names = ReplicaColumnNames()
            rename(&names)
            return names
        }
        var unsaid: [String] = []
        if replica.customStorage != nil { unsaid.append("where it is kept") }
        if !replica.resolvers.isEmpty { unsaid.append("how associations are resolved") }
        if replica.storing != nil { unsaid.append("what is stored beside the attributes") }
        if replica.cancelling != nil { unsaid.append("how destroyed records end") }
        if replica.payloadKeeping != nil { unsaid.append("where payloads are kept") }
        if replica.importing != nil || replica.destroying != nil { unsaid.append("how records are imported") }
        self.unsaid = unsaid
    }
}
