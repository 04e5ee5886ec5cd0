# SPDX-License-Identifier: BSD-2-Clause
# Without AWS: its provider's answers are made up. `terraform test` and `tofu test` run this.

mock_provider "aws" {
  mock_data "aws_ec2_instance_type" {
    defaults = { efa_supported = true }
  }
  mock_data "aws_ec2_instance_type_offerings" {
    defaults = { locations = ["us-east-1a", "us-east-1b"] }
  }
  mock_data "aws_subnets" {
    defaults = { ids = ["subnet-2", "subnet-1"] }
  }
  mock_data "aws_subnet" {
    defaults = { vpc_id = "vpc-1" }
  }
  mock_resource "aws_launch_template" {
    defaults = { id = "lt-0123456789abcdef0", latest_version = 1 }
  }
}

variables {
  caller_address = "203.0.113.7"
  public_key     = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKrbGp4Qy3Jp8sCBYQhKzzo1lZ0L3Ec0CV8zQ0QyJ6Yb"
}

run "deployment" {
  command = apply

  assert {
    condition     = length(aws_instance.end) == 2
    error_message = "There are to be two instances."
  }
  assert {
    condition     = aws_launch_template.efa.network_interfaces[0].interface_type == "efa"
    error_message = "The adapters are to be EFA."
  }
  assert {
    condition     = aws_launch_template.efa.placement[0].group_name == aws_placement_group.cluster.name && aws_placement_group.cluster.strategy == "cluster"
    error_message = "The instances are to be in the placement group."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.ssh.cidr_ipv4 == "203.0.113.7/32"
    error_message = "ssh is to be open to the caller alone."
  }
  assert {
    condition     = aws_vpc_security_group_ingress_rule.itself.referenced_security_group_id == aws_security_group.efa.id
    error_message = "The group is to be open to itself."
  }
  assert {
    condition = alltrue([for kind in ["instance", "volume", "network-interface"] : contains([
      for t in aws_launch_template.efa.tag_specifications : t.resource_type if t.tags["secure-rdma-deployment"] == "secure-rdma"
    ], kind)])
    error_message = "What is made with an instance is to have the tag."
  }
}

run "no_efa" {
  command = plan
  override_data {
    target = data.aws_ec2_instance_type.chosen
    values = { efa_supported = false }
  }
  expect_failures = [aws_instance.end]
}

run "no_address" {
  command = plan
  variables { caller_address = "everywhere" }
  expect_failures = [var.caller_address]
}
