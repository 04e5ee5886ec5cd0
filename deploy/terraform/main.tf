# SPDX-License-Identifier: BSD-2-Clause
#
# Two instances with EFA adapters in a placement group, as scripts/deploy_aws.sh makes them: for those who keep
# their infrastructure in Terraform or OpenTofu. docs/deploy.md says how it is used, and what of it was tried.

terraform {
  required_version = ">= 1.3"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.0, < 7.0"
    }
  }
}

variable "region" {
  description = "AWS region"
  type        = string
  default     = "us-east-1"
}

variable "name" {
  description = "of the deployment: a tag on all that is made"
  type        = string
  default     = "secure-rdma"
  validation {
    condition     = can(regex("^[a-zA-Z0-9-]{1,40}$", var.name))
    error_message = "Letters, digits and '-', at most 40."
  }
}

variable "instance_type" {
  description = "a type that has EFA"
  type        = string
  default     = "c6in.32xlarge"
}

variable "caller_address" {
  description = "IPv4 address that ssh is open to: yours"
  type        = string
  validation {
    condition     = can(cidrnetmask("${var.caller_address}/32"))
    error_message = "An IPv4 address, such as 203.0.113.7."
  }
}

variable "public_key" {
  description = "ssh public key, such as file(\"~/.ssh/id_ed25519.pub\")"
  type        = string
}

provider "aws" {
  region = var.region
  default_tags {
    tags = local.tags
  }
}

locals {
  tags = {
    Name                   = var.name
    secure-rdma-deployment = var.name
  }
}

data "aws_ssm_parameter" "debian" {
  name = "/aws/service/debian/release/12/latest/amd64"
}

data "aws_ec2_instance_type" "chosen" {
  instance_type = var.instance_type
}

data "aws_ec2_instance_type_offerings" "zones" {
  location_type = "availability-zone"
  filter {
    name   = "instance-type"
    values = [var.instance_type]
  }
}

data "aws_subnets" "default" {
  filter {
    name   = "default-for-az"
    values = ["true"]
  }
  filter {
    name   = "availability-zone"
    values = data.aws_ec2_instance_type_offerings.zones.locations
  }
}

data "aws_subnet" "chosen" {
  id = sort(data.aws_subnets.default.ids)[0]
}

resource "aws_key_pair" "caller" {
  key_name   = var.name
  public_key = var.public_key
}

resource "aws_placement_group" "cluster" {
  name     = var.name
  strategy = "cluster"
}

# Open to itself, as EFA wants it, and to ssh from one address; to the outside for packages.
resource "aws_security_group" "efa" {
  name        = var.name
  description = "EFA instances among themselves; ssh from one address"
  vpc_id      = data.aws_subnet.chosen.vpc_id
}

resource "aws_vpc_security_group_ingress_rule" "itself" {
  security_group_id            = aws_security_group.efa.id
  referenced_security_group_id = aws_security_group.efa.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_egress_rule" "itself" {
  security_group_id            = aws_security_group.efa.id
  referenced_security_group_id = aws_security_group.efa.id
  ip_protocol                  = "-1"
}

resource "aws_vpc_security_group_ingress_rule" "ssh" {
  security_group_id = aws_security_group.efa.id
  cidr_ipv4         = "${var.caller_address}/32"
  ip_protocol       = "tcp"
  from_port         = 22
  to_port           = 22
}

resource "aws_vpc_security_group_egress_rule" "packages" {
  security_group_id = aws_security_group.efa.id
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "-1"
}

# An adapter that is made with its instance can have a public address; one made before cannot.
resource "aws_launch_template" "efa" {
  name                   = var.name
  image_id               = data.aws_ssm_parameter.debian.insecure_value
  instance_type          = var.instance_type
  key_name               = aws_key_pair.caller.key_name
  update_default_version = true

  network_interfaces {
    device_index                = 0
    interface_type              = "efa"
    subnet_id                   = data.aws_subnet.chosen.id
    security_groups             = [aws_security_group.efa.id]
    associate_public_ip_address = true
    delete_on_termination       = true
  }

  placement {
    group_name = aws_placement_group.cluster.name
  }

  metadata_options {
    http_tokens = "required"
  }

  block_device_mappings {
    device_name = "/dev/xvda"
    ebs {
      volume_size           = 30
      volume_type           = "gp3"
      encrypted             = true
      delete_on_termination = true
    }
  }

  # The provider tags what it makes itself; disks and adapters are made with the instances.
  dynamic "tag_specifications" {
    for_each = ["instance", "volume", "network-interface"]
    content {
      resource_type = tag_specifications.value
      tags          = local.tags
    }
  }

  # AWS's own installer: driver and libfabric.
  user_data = base64encode(<<-END
    #!/bin/sh
    set -eu
    cd /root
    apt-get -qq update && apt-get -qq -y install curl
    curl -fsSO https://efa-installer.amazonaws.com/aws-efa-installer-latest.tar.gz
    tar -xzf aws-efa-installer-latest.tar.gz
    cd aws-efa-installer && ./efa_installer.sh -y
  END
  )
}

resource "aws_instance" "end" {
  for_each = toset(["server", "client"])

  launch_template {
    id      = aws_launch_template.efa.id
    version = aws_launch_template.efa.latest_version
  }

  lifecycle {
    precondition {
      condition     = data.aws_ec2_instance_type.chosen.efa_supported
      error_message = "This instance_type has no EFA adapter: choose another."
    }
  }

  depends_on = [
    aws_vpc_security_group_ingress_rule.itself,
    aws_vpc_security_group_ingress_rule.ssh,
    aws_vpc_security_group_egress_rule.itself,
    aws_vpc_security_group_egress_rule.packages,
  ]
}

output "addresses" {
  description = "public for ssh (user admin), private for the session"
  value = {
    for end, instance in aws_instance.end : end => {
      public  = instance.public_ip
      private = instance.private_ip
    }
  }
}
