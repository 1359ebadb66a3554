/// The joins along a path of associations: each step with the names of the rows that it leads from and to.
///
/// What differs from one database or statement to the next is how names and values are written.
package struct PathJoin: Sendable {
    /// One step of a path.
    package struct Step: Sendable {
        package let hop: AssociationHop
        /// The alias of the table that the step begins at.
        package let source: String
        /// The alias of the table that it leads to.
        package let target: String

        package init(hop: AssociationHop, source: String, target: String) {
            self.hop = hop
            self.source = source
            self.target = target
        }

        /// The alias of the table whose column the step's condition is about.
        package func alias(of condition: AssociationHop.Condition) -> String {
            condition.side == .source ? source : target
        }
    }

    package let steps: [Step]

    /// Names the rows along a path.
    /// - Parameters:
    ///   - path: The steps.
    ///   - source: The alias of the table that the path begins at.
    ///   - alias: The alias of the table that a step leads to, by the step's number, counted from one.
    package init(_ path: some Sequence<AssociationHop>, from source: String, alias: (Int) -> String) {
        var previous = source
        steps = path.enumerated()
            .map { index, hop in
                let target = alias(index + 1)
                defer { previous = target }
                return Step(hop: hop, source: previous, target: target)
            }
    }
}

// MARK: Statements

extension PathJoin {
    /// The joins as a part of a statement, each after a space.
    package var sql: SQL { steps.map { " \($0.sql)" as SQL }.joined(separator: "") }
}

extension PathJoin.Step {
    /// The join as a part of a statement, its condition's value bound.
    package var sql: SQL {
        """
        JOIN \(identifier: hop.otherTable) \(raw: target)
        ON \(raw: target).\(identifier: hop.otherColumn) = \(raw: source).\(identifier: hop.column)\(condition)
        """
    }

    /// What else must hold, from `AND` on; empty if nothing else must.
    package var condition: SQL {
        hop.condition.map { " AND \(raw: alias(of: $0)).\(identifier: $0.column) = \($0.value)" } ?? ""
    }
}

// MARK: Triggers

extension PathJoin.Step {
    /// The join as text, for a trigger, which can bind no values.
    /// - Parameters:
    ///   - table: The table that the step leads to, as the trigger names it.
    ///   - key: The column that the step begins at, where it isn't compared as it is.
    ///   - quoted: Quotes a name.
    ///   - literal: Quotes a text.
    package func text(
        table: String,
        key: String? = nil,
        quoted: (String) -> String,
        literal: (String) -> String
    ) -> String {
        let condition = hop.condition.map { " AND \(alias(of: $0)).\(quoted($0.column)) = \(literal($0.value))" }
        return "JOIN \(table) \(target) ON \(target).\(quoted(hop.otherColumn)) = "
            + "\(key ?? "\(source).\(quoted(hop.column))")\(condition ?? "")"
    }
}
