extension ReplicaModel {
    /// The names of the columns that Dionysus fills, here.
    /// - Parameter settings: Those of all replicas that have no others.
    func columnNames(_ settings: ReplicaColumnNames) -> ReplicaColumnNames {
        var names = settings
        renamesColumns?(&names)
        return names
    }
}
